import type { ClusterId } from "./broker-driver.ts";
import type { MetadataStore } from "./metadata-store.ts";
import type { ObjectStore } from "./object-store.ts";

/**
 * What a cluster's brokers share, opened by who is not a broker: credentials are written into the
 * metadata, and a deleted cluster's objects are removed. The caller closes what it opened.
 *
 * Not promised: that the cluster is there. Of one that is not, or not yet, the stores' own calls
 * fail or find nothing.
 */
export interface ClusterStores {
  metadata(cluster: ClusterId): Promise<MetadataStore>;
  /** Keys are below the cluster's own prefix. */
  objects(cluster: ClusterId): Promise<ObjectStore>;
}
