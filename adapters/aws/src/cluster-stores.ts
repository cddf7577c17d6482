import type {
  Clock,
  ClusterId,
  ClusterStores,
  MetadataStore,
  ObjectStore,
  Random,
} from "@millrace/core";
import type { Crc32c } from "@millrace/wire";
import { S3ObjectStore } from "./object-store.ts";
import { DynamoDbMetadataStore } from "./metadata-store.ts";
import type { AwsPlace } from "./control-client.ts";

export interface AwsClusterStoresOptions extends Omit<AwsPlace, "endpoint"> {
  /** A table's name is this and the cluster's id. */
  readonly prefix: string;
  /** A cluster's objects are below its id. */
  readonly bucket: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Of what stands in for AWS. */
  readonly endpoints?: { readonly s3?: string; readonly dynamodb?: string };
  /** `path` where the bucket's name can't be in a host's name. */
  readonly addressing?: "host" | "path";
  readonly crc32c: Crc32c;
}

/** Clusters' tables and objects, for who needs nothing else of AWS. */
export class AwsClusterStores implements ClusterStores {
  readonly #options: AwsClusterStoresOptions;

  constructor(options: AwsClusterStoresOptions) {
    this.#options = options;
  }

  metadata(cluster: ClusterId): Promise<MetadataStore> {
    const { credentials, endpoints, prefix, region } = this.#options;
    return DynamoDbMetadataStore.open({
      ...this.#common(region),
      ...(credentials === undefined ? {} : { credentials }),
      table: `${prefix}${cluster}`,
      ...(endpoints?.dynamodb === undefined ? {} : { endpoint: endpoints.dynamodb }),
    });
  }

  objects(cluster: ClusterId): Promise<ObjectStore> {
    const { addressing = "host", bucket, crc32c, endpoints, region } = this.#options;
    return S3ObjectStore.open({
      ...this.#common(region),
      ...{ bucket, prefix: cluster, addressing, crc32c },
      // A deleted cluster's objects are to go.
      rules: "unchecked",
      ...(endpoints?.s3 === undefined ? {} : { endpoint: endpoints.s3 }),
    });
  }

  #common(region: string | undefined) {
    const { clock, random } = this.#options;
    return region === undefined ? { clock, random } : { clock, random, region };
  }
}
