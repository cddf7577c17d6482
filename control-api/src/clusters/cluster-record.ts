/**
 * Clusters as the control plane knows them: one item each, `control/cluster/{id}`, and one for each
 * name, `control/clusterName/{name}`, so that no two clusters have one name. A deleted cluster
 * leaves a tombstone, `control/tombstone/{id}`, by which what comes to light later is removed too.
 */
import type { BrokerAddress, ClusterId, Item, ItemValue } from "@millrace/core";
import type {
  OperationId,
  OperationKind,
  OperationTarget,
} from "../operations/operation-record.ts";

export type ClusterState = "creating" | "active" | "updating" | "deleting" | "failed";

export interface BrokerSize {
  /** ECS's units: 1,024 are one vCPU. */
  readonly cpu: number;
  readonly memoryMiB: number;
}

export interface ClusterSpec {
  readonly brokers: number;
  readonly brokerSize: BrokerSize;
  /** Brokers' configs by Kafka's names, of those that bound something (`limitConfigs`). */
  readonly limits: Readonly<Record<string, string>>;
}

export interface ClusterRecord {
  readonly id: ClusterId;
  readonly name: string;
  readonly state: ClusterState;
  /** What it is, or what the operation under way makes of it. */
  readonly spec: ClusterSpec;
  /** Of its brokers: rises when all of them are to start anew. */
  readonly revision: number;
  readonly deletionProtection: boolean;
  /** `local`: of a broker alone, which shows itself as a cluster. */
  readonly durability: "journal" | "local";
  readonly createdAtMs: number;
  /** The one under way. */
  readonly operation?: OperationId;
  /** The one that failed, while the cluster is `failed`. */
  readonly failed?: FailedOperation;
  /** From the moment on when its brokers have one. */
  readonly certificate?: CertificateFacts;
  /** Where clients connect; none until they can. */
  readonly addresses: readonly BrokerAddress[];
  /** The item's version: the API's ETag. */
  readonly version: number;
}

export interface FailedOperation {
  readonly operation: OperationId;
  readonly kind: OperationKind;
  readonly certificate?: OperationTarget["certificate"];
}

export interface CertificateFacts {
  /** PEM of the cluster's CA: what clients trust. */
  readonly caCertificate: string;
  /** When the brokers' certificate ends. */
  readonly notAfterMs: number;
  /** Hosts that it is valid for; absent: nobody has read them yet. */
  readonly names?: readonly string[];
  /** Of the brokers for which it was made. */
  readonly revision: number;
}

export interface Tombstone {
  readonly id: ClusterId;
  readonly name: string;
  readonly deletedAtMs: number;
}

export const clusterKeys = {
  prefix: "control/cluster",
  cluster: (id: ClusterId): string => `control/cluster/${id}`,
  /** Names have only characters of keys (`clusterNameFault`). */
  name: (name: string): string => `control/clusterName/${name}`,
  /** How many there are. */
  count: "control/clusterCount",
  tombstones: "control/tombstone",
  tombstone: (id: ClusterId): string => `control/tombstone/${id}`,
} as const;

export function clusterItem(cluster: ClusterRecord): ItemValue {
  const { version: _, ...fields } = cluster;
  return fields as unknown as ItemValue;
}

export function readCluster(item: Item): ClusterRecord {
  return { ...(item.value as unknown as Omit<ClusterRecord, "version">), version: item.version };
}

export interface NewCluster {
  readonly name: string;
  readonly spec: ClusterSpec;
  readonly deletionProtection: boolean;
}

/** What a caller may change; absent: as it is. */
export interface ClusterChange {
  readonly brokers?: number;
  readonly brokerSize?: BrokerSize;
  readonly limits?: Readonly<Record<string, string>>;
  readonly deletionProtection?: boolean;
}

/** An operation began, or there was nothing to do but to write the record. */
export type ClusterOutcome =
  | {
      readonly kind: "started";
      readonly cluster: ClusterRecord;
      readonly operation: OperationId;
    }
  | { readonly kind: "changed"; readonly cluster: ClusterRecord }
  | ClusterRefusal;

export type ClusterRefusal =
  | { readonly kind: "notFound" }
  | { readonly kind: "nameTaken"; readonly by: ClusterId }
  | { readonly kind: "tooManyClusters"; readonly most: number }
  /** Another operation is under way. */
  | { readonly kind: "busy"; readonly operation: OperationId }
  /** The caller's version is not the record's. */
  | { readonly kind: "stale"; readonly version: number }
  | { readonly kind: "protected" }
  /** Not in the state for it: a retry of one that did not fail, a change of one that was never made. */
  | { readonly kind: "wrongState"; readonly state: ClusterState }
  /** It breaks a rule; a sentence for each, with a JSON pointer into the change. */
  | {
      readonly kind: "invalid";
      readonly errors: readonly { readonly pointer: string; readonly detail: string }[];
    };

/** What `ClusterRecords` (cluster-records.ts) does; the routes need no more. Throws MetadataError. */
export interface ClusterCatalogue {
  /** Writes record, name and operation in one transaction. */
  create(wanted: NewCluster): Promise<ClusterOutcome>;
  find(id: ClusterId): Promise<ClusterRecord | undefined>;
  findByName(name: string): Promise<ClusterRecord | undefined>;
  /** By age, the oldest first. `after`: a former page's `next`. */
  list(page: PageRequest<ClusterId>): Promise<PageOf<ClusterRecord, ClusterId>>;
  change(id: ClusterId, change: ClusterChange, at?: AtVersion): Promise<ClusterOutcome>;
  /** Begins the deletion; of a cluster that failed, too. */
  remove(id: ClusterId, at?: AtVersion): Promise<ClusterOutcome>;
  /** Begins to start all brokers anew, one after another, as the driver starts brokers by now. */
  upgrade(id: ClusterId, at?: AtVersion): Promise<ClusterOutcome>;
  /** Begins to give the brokers a new certificate. */
  renewCertificate(id: ClusterId, at?: AtVersion): Promise<ClusterOutcome>;
  /** Begins to make again what is missing of it: brokers that ended, and are not started again. */
  repair(id: ClusterId, at?: AtVersion): Promise<ClusterOutcome>;
  /** Begins again what failed. */
  retry(id: ClusterId, at?: AtVersion): Promise<ClusterOutcome>;
}

/** The caller's precondition (If-Match). */
export interface AtVersion {
  readonly version?: number;
}

export interface PageRequest<Id extends string> {
  readonly limit: number;
  readonly after?: Id;
}

export interface PageOf<Record, Id extends string> {
  readonly items: readonly Record[];
  /** The `after` of the next page; absent at the end. */
  readonly next?: Id;
}
