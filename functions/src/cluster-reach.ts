import type { MetadataStore } from "@millrace/core";
import {
  type ClusterAccess,
  type ClusterAdmin,
  type ClusterRecord,
  type ConnectionFacts,
  provisionedConnection,
} from "@millrace/control-api";
import type { KafkaAccess, KafkaAccessDependencies } from "@millrace/control-api/kafka";

export type ClusterReachDependencies = Omit<KafkaAccessDependencies, "connection">;

/**
 * The API's way to brokers. What speaks Kafka is loaded at the first request that needs it: most
 * don't, and it would be half of the time that a start takes.
 */
export class ClusterReach implements ClusterAccess {
  readonly #deps: ClusterReachDependencies;
  #kafka: Promise<KafkaAccess> | undefined;

  constructor(deps: ClusterReachDependencies) {
    this.#deps = deps;
  }

  async admin(cluster: ClusterRecord): Promise<ClusterAdmin> {
    this.#kafka ??= this.#load();
    return (await this.#kafka).admin(cluster);
  }

  metadata(cluster: ClusterRecord): Promise<MetadataStore> {
    return this.#deps.metadata(cluster);
  }

  /** Brokers poll: they follow by themselves. */
  async usersChanged(): Promise<void> {}

  connection(cluster: ClusterRecord): ConnectionFacts {
    return provisionedConnection(cluster);
  }

  async #load(): Promise<KafkaAccess> {
    const { KafkaAccess } = await import("@millrace/control-api/kafka");
    return new KafkaAccess({ ...this.#deps, connection: provisionedConnection });
  }
}
