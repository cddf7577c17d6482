/** What is in one cluster, over the control plane. */
import type { Abortable } from "../timing.ts";
import type { Asking } from "./asking.ts";
import { pages } from "./pages.ts";
import type {
  ClusterCredential,
  Connection,
  ControlGroup,
  ControlGroupSummary,
  ControlTopic,
  ControlTopicChange,
  ControlTopicSummary,
  CreatedClusterCredential,
  GroupOffsetReset,
  NewControlTopic,
  ResetGroupOffsets,
} from "./types.ts";

/**
 * What is in one cluster: topics, groups, credentials, and how clients connect.
 *
 * @example
 * ```ts
 * import { type ClusterControl, controlPlane } from "@millrace/sdk";
 *
 * async function addresses(cluster: ClusterControl): Promise<readonly string[]> {
 *   return (await cluster.connection()).bootstrapServers;
 * }
 * const control = controlPlane({ url: "http://localhost:8080" });
 * console.log(await addresses(control.cluster("cl_01k2m3n4p5q6r7s8")));
 * ```
 */
export class ClusterControl {
  readonly clusterId: string;
  readonly topics: ControlTopics;
  readonly groups: ControlGroups;
  readonly credentials: ControlCredentials;
  readonly #asking: Asking;

  constructor(asking: Asking, clusterId: string) {
    this.clusterId = clusterId;
    this.#asking = asking;
    this.topics = new ControlTopics(asking, clusterId);
    this.groups = new ControlGroups(asking, clusterId);
    this.credentials = new ControlCredentials(asking, clusterId);
  }

  connection(options: Abortable = {}): Promise<Connection> {
    const params = { path: { clusterId: this.clusterId } };
    return this.#asking.ask(
      (api, how) => api.GET("/v1/clusters/{clusterId}/connection", { params, ...how }),
      options,
    );
  }
}

/**
 * Topics of a cluster.
 *
 * @example
 * ```ts
 * import { controlPlane } from "@millrace/sdk";
 *
 * const { topics } = controlPlane({ url: "http://localhost:8080" }).cluster("cl_01k2m3n4p5q6r7s8");
 * await topics.create({ name: "orders", partitions: 6, configs: { "retention.ms": "86400000" } });
 * await topics.change("orders", { partitions: 12 });
 * await topics.delete("orders");
 * ```
 */
export class ControlTopics {
  readonly #asking: Asking;
  readonly #clusterId: string;

  constructor(asking: Asking, clusterId: string) {
    this.#asking = asking;
    this.#clusterId = clusterId;
  }

  /** By name. */
  list(options: Abortable = {}): AsyncIterable<ControlTopicSummary> {
    const path = { clusterId: this.#clusterId };
    return pages((query) =>
      this.#asking.ask(
        (api, how) =>
          api.GET("/v1/clusters/{clusterId}/topics", { params: { path, query }, ...how }),
        options,
      ),
    );
  }

  /** Rejects with `TOPIC_ALREADY_EXISTS`, `INVALID_CONFIG` and so on. */
  create(topic: NewControlTopic, options: Abortable = {}): Promise<ControlTopic> {
    const path = { clusterId: this.#clusterId };
    return this.#asking.make(
      (api, { key, ...how }) =>
        api.POST("/v1/clusters/{clusterId}/topics", {
          params: { path, header: { "idempotency-key": key } },
          body: topic,
          ...how,
        }),
      options,
    );
  }

  describe(topic: string, options: Abortable = {}): Promise<ControlTopic> {
    const params = { path: { clusterId: this.#clusterId, topic } };
    return this.#asking.ask(
      (api, how) => api.GET("/v1/clusters/{clusterId}/topics/{topic}", { params, ...how }),
      options,
    );
  }

  change(
    topic: string,
    change: ControlTopicChange,
    options: Abortable = {},
  ): Promise<ControlTopic> {
    const params = { path: { clusterId: this.#clusterId, topic } };
    return this.#asking.ask(
      (api, how) =>
        api.PATCH("/v1/clusters/{clusterId}/topics/{topic}", { params, body: change, ...how }),
      options,
    );
  }

  async delete(topic: string, options: Abortable = {}): Promise<void> {
    const params = { path: { clusterId: this.#clusterId, topic } };
    await this.#asking.ask(
      (api, how) => api.DELETE("/v1/clusters/{clusterId}/topics/{topic}", { params, ...how }),
      { signal: options.signal, repeats: "once" },
    );
  }
}

/**
 * Consumer groups of a cluster.
 *
 * @example
 * ```ts
 * import { controlPlane } from "@millrace/sdk";
 *
 * const { groups } = controlPlane({ url: "http://localhost:8080" }).cluster("cl_01k2m3n4p5q6r7s8");
 * console.log((await groups.describe("billing")).lag.total);
 * const resets = [{ topic: "orders", to: { timestamp: "2026-01-31T12:00:00Z" } }];
 * const { partitions } = await groups.resetOffsets("billing", { resets, dryRun: true });
 * for (const { committed, offset, partition } of partitions) console.log(partition, committed, offset);
 * ```
 */
export class ControlGroups {
  readonly #asking: Asking;
  readonly #clusterId: string;

  constructor(asking: Asking, clusterId: string) {
    this.#asking = asking;
    this.#clusterId = clusterId;
  }

  /** By id. */
  list(options: Abortable = {}): AsyncIterable<ControlGroupSummary> {
    const path = { clusterId: this.#clusterId };
    return pages((query) =>
      this.#asking.ask(
        (api, how) =>
          api.GET("/v1/clusters/{clusterId}/groups", { params: { path, query }, ...how }),
        options,
      ),
    );
  }

  describe(groupId: string, options: Abortable = {}): Promise<ControlGroup> {
    const params = { path: { clusterId: this.#clusterId, groupId } };
    return this.#asking.ask(
      (api, how) => api.GET("/v1/clusters/{clusterId}/groups/{groupId}", { params, ...how }),
      options,
    );
  }

  /**
   * Takes a group without members to other places in its topics; with `dryRun` it only says where
   * they would be. Rejects with `NON_EMPTY_GROUP` (or `UNKNOWN_MEMBER_ID`) while it has members.
   */
  resetOffsets(
    groupId: string,
    reset: GroupOffsetReset,
    options: Abortable = {},
  ): Promise<ResetGroupOffsets> {
    const path = { clusterId: this.#clusterId, groupId };
    return this.#asking.make(
      (api, { key, ...how }) =>
        api.POST("/v1/clusters/{clusterId}/groups/{groupId}/offsets", {
          params: { path, header: { "idempotency-key": key } },
          body: reset,
          ...how,
        }),
      options,
    );
  }

  /** Rejects with `NON_EMPTY_GROUP` while it has members. */
  async delete(groupId: string, options: Abortable = {}): Promise<void> {
    const params = { path: { clusterId: this.#clusterId, groupId } };
    await this.#asking.ask(
      (api, how) => api.DELETE("/v1/clusters/{clusterId}/groups/{groupId}", { params, ...how }),
      { signal: options.signal, repeats: "once" },
    );
  }
}

/**
 * What Kafka clients of a cluster log in with.
 *
 * @example
 * ```ts
 * import { controlPlane } from "@millrace/sdk";
 *
 * const cluster = controlPlane({ url: "http://localhost:8080" }).cluster("cl_01k2m3n4p5q6r7s8");
 * const { id, secret, username } = await cluster.credentials.create({ name: "billing" });
 * console.log(username, secret);
 * await cluster.credentials.delete(id);
 * ```
 */
export class ControlCredentials {
  readonly #asking: Asking;
  readonly #clusterId: string;

  constructor(asking: Asking, clusterId: string) {
    this.#asking = asking;
    this.#clusterId = clusterId;
  }

  /** The oldest first. */
  list(options: Abortable = {}): AsyncIterable<ClusterCredential> {
    const path = { clusterId: this.#clusterId };
    return pages((query) =>
      this.#asking.ask(
        (api, how) =>
          api.GET("/v1/clusters/{clusterId}/credentials", { params: { path, query }, ...how }),
        options,
      ),
    );
  }

  /** Its answer is the only place where the secret is shown. */
  create(
    credential: { readonly name: string },
    options: Abortable = {},
  ): Promise<CreatedClusterCredential> {
    const path = { clusterId: this.#clusterId };
    return this.#asking.make(
      (api, { key, ...how }) =>
        api.POST("/v1/clusters/{clusterId}/credentials", {
          params: { path, header: { "idempotency-key": key } },
          body: credential,
          ...how,
        }),
      options,
    );
  }

  /** Whoever is logged in by it is cut off. */
  async delete(credentialId: string, options: Abortable = {}): Promise<void> {
    const params = { path: { clusterId: this.#clusterId, credentialId } };
    await this.#asking.ask(
      (api, how) =>
        api.DELETE("/v1/clusters/{clusterId}/credentials/{credentialId}", { params, ...how }),
      { signal: options.signal, repeats: "once" },
    );
  }
}
