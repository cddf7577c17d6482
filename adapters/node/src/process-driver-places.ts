/** What the process driver is given: programs, and where clusters keep what their brokers share. */
import type {
  ClusterId,
  DriverResource,
  MetadataStore,
  ObjectStore,
  ObservedCluster,
} from "@millrace/core";
import type { StorePlace } from "./process-driver-settings.ts";

/** Node's arguments up to the program's own. */
export interface ProcessLaunch {
  readonly broker: readonly string[];
  readonly host: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A table for each cluster, as of DynamoDB. */
export interface ClusterTables {
  place(cluster: ClusterId): StorePlace;
  ensure(cluster: ClusterId): Promise<void>;
  state(cluster: ClusterId): Promise<ObservedCluster["store"]>;
  remove(cluster: ClusterId): Promise<void>;
  open(cluster: ClusterId): Promise<MetadataStore>;
  list(): Promise<readonly DriverResource[]>;
}

export interface ObjectPlaces {
  place(cluster: ClusterId): StorePlace;
  open(cluster: ClusterId): Promise<ObjectStore>;
  /** Those that are known to be there; nothing where a bucket's are another one's to list. */
  list(): Promise<readonly DriverResource[]>;
}
