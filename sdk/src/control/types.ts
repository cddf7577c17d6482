/** What the control plane speaks of, by the types that are generated from its API. */
import type { components } from "./generated/schema.ts";

type Schemas = components["schemas"];

/**
 * A Millrace cluster.
 *
 * @example
 * ```ts
 * import { type Cluster, controlPlane } from "@millrace/sdk";
 *
 * const isUp = ({ state }: Cluster): boolean => state === "active";
 * const control = controlPlane({ url: "http://localhost:8080" });
 * for await (const cluster of control.clusters.list()) console.log(cluster.name, isUp(cluster));
 * ```
 */
export type Cluster = Schemas["Cluster"];

/**
 * What a cluster is created with. Only the name is needed.
 *
 * @example
 * ```ts
 * import { controlPlane, type NewCluster } from "@millrace/sdk";
 *
 * const wanted: NewCluster = { name: "orders", brokers: 3 };
 * const control = controlPlane({ url: "https://control.example.com", apiKey: "mrk_…" });
 * console.log((await control.clusters.create(wanted)).operation);
 * ```
 */
export type NewCluster = Schemas["CreateCluster"];

/**
 * What is to change of a cluster; the rest stays.
 *
 * @example
 * ```ts
 * import { type ClusterChange, controlPlane } from "@millrace/sdk";
 *
 * const unprotected: ClusterChange = { deletionProtection: false };
 * const control = controlPlane({ url: "https://control.example.com", apiKey: "mrk_…" });
 * await control.clusters.change("cl_01k2m3n4p5q6r7s8", unprotected);
 * ```
 */
export type ClusterChange = Schemas["ChangeCluster"];

/**
 * Long work on a cluster, and how far it is.
 *
 * @example
 * ```ts
 * import { controlPlane, type Operation } from "@millrace/sdk";
 *
 * const show = ({ step, stepsDone, stepsTotal }: Operation): string =>
 *   `${step} (${stepsDone} of ${stepsTotal})`;
 * const control = controlPlane({ url: "https://control.example.com", apiKey: "mrk_…" });
 * for await (const operation of control.operations.list()) console.log(show(operation));
 * ```
 */
export type Operation = Schemas["Operation"];

/**
 * A topic as the control plane lists it.
 *
 * @example
 * ```ts
 * import { controlPlane, type ControlTopicSummary } from "@millrace/sdk";
 *
 * const isWide = ({ partitions }: ControlTopicSummary): boolean => partitions > 12;
 * const cluster = controlPlane({ url: "http://localhost:8080" }).cluster("cl_01k2m3n4p5q6r7s8");
 * for await (const topic of cluster.topics.list()) console.log(topic.name, isWide(topic));
 * ```
 */
export type ControlTopicSummary = Schemas["TopicSummary"];

/**
 * A topic with the configs that were set for it.
 *
 * @example
 * ```ts
 * import { controlPlane, type ControlTopic } from "@millrace/sdk";
 *
 * const kept = ({ configs }: ControlTopic): string => configs["retention.ms"] ?? "the default";
 * const cluster = controlPlane({ url: "http://localhost:8080" }).cluster("cl_01k2m3n4p5q6r7s8");
 * console.log(kept(await cluster.topics.describe("orders")));
 * ```
 */
export type ControlTopic = Schemas["Topic"];

/**
 * What a topic is created with through the control plane.
 *
 * @example
 * ```ts
 * import { controlPlane, type NewControlTopic } from "@millrace/sdk";
 *
 * const wanted: NewControlTopic = { name: "orders", partitions: 6 };
 * const cluster = controlPlane({ url: "http://localhost:8080" }).cluster("cl_01k2m3n4p5q6r7s8");
 * await cluster.topics.create(wanted);
 * ```
 */
export type NewControlTopic = Schemas["CreateTopic"];

/**
 * What is to change of a topic: more partitions, or configs, of which `null` is the default again.
 *
 * @example
 * ```ts
 * import { controlPlane, type ControlTopicChange } from "@millrace/sdk";
 *
 * const change: ControlTopicChange = { configs: { "retention.ms": null } };
 * const cluster = controlPlane({ url: "http://localhost:8080" }).cluster("cl_01k2m3n4p5q6r7s8");
 * await cluster.topics.change("orders", change);
 * ```
 */
export type ControlTopicChange = Schemas["ChangeTopic"];

/**
 * A group as the control plane lists it.
 *
 * @example
 * ```ts
 * import { controlPlane, type ControlGroupSummary } from "@millrace/sdk";
 *
 * const isIdle = ({ state }: ControlGroupSummary): boolean => state === "Empty";
 * const cluster = controlPlane({ url: "http://localhost:8080" }).cluster("cl_01k2m3n4p5q6r7s8");
 * for await (const group of cluster.groups.list()) console.log(group.id, isIdle(group));
 * ```
 */
export type ControlGroupSummary = Schemas["GroupSummary"];

/**
 * A group with its members and its lag.
 *
 * @example
 * ```ts
 * import { type ControlGroup, controlPlane } from "@millrace/sdk";
 *
 * const behind = ({ lag }: ControlGroup): number => lag.total;
 * const cluster = controlPlane({ url: "http://localhost:8080" }).cluster("cl_01k2m3n4p5q6r7s8");
 * console.log(behind(await cluster.groups.describe("billing")));
 * ```
 */
export type ControlGroup = Schemas["Group"];

/**
 * Where a group's offsets are to be taken: every partition of a topic, or one, to its first record,
 * behind its last one, to an offset, or to the first record of a time or later.
 *
 * @example
 * ```ts
 * import { controlPlane, type GroupOffsetReset } from "@millrace/sdk";
 *
 * const again: GroupOffsetReset = {
 *   resets: [
 *     { topic: "orders", to: "earliest" },
 *     { topic: "refunds", partition: 3, to: { offset: 1_200 } },
 *   ],
 * };
 * const cluster = controlPlane({ url: "http://localhost:8080" }).cluster("cl_01k2m3n4p5q6r7s8");
 * await cluster.groups.resetOffsets("billing", again);
 * ```
 */
export type GroupOffsetReset = Schemas["ResetOffsets"];

/**
 * What a group has committed after a reset, and had before it (-1: nothing).
 *
 * @example
 * ```ts
 * import { controlPlane, type ResetGroupOffsets } from "@millrace/sdk";
 *
 * const moved = ({ partitions }: ResetGroupOffsets): number =>
 *   partitions.filter(({ committed, offset }) => committed !== offset).length;
 * const cluster = controlPlane({ url: "http://localhost:8080" }).cluster("cl_01k2m3n4p5q6r7s8");
 * const resets = [{ topic: "orders", to: "latest" as const }];
 * console.log(moved(await cluster.groups.resetOffsets("billing", { resets })));
 * ```
 */
export type ResetGroupOffsets = Schemas["OffsetsReset"];

/**
 * What Kafka clients log in with, without its secret.
 *
 * @example
 * ```ts
 * import { type ClusterCredential, controlPlane } from "@millrace/sdk";
 *
 * const show = ({ name, username }: ClusterCredential): string => `${name}: ${username}`;
 * const cluster = controlPlane({ url: "http://localhost:8080" }).cluster("cl_01k2m3n4p5q6r7s8");
 * for await (const credential of cluster.credentials.list()) console.log(show(credential));
 * ```
 */
export type ClusterCredential = Schemas["Credential"];

/**
 * A new credential with its secret, which is shown this once.
 *
 * @example
 * ```ts
 * import { connect, controlPlane, type CreatedClusterCredential } from "@millrace/sdk";
 *
 * const cluster = controlPlane({ url: "http://localhost:8080" }).cluster("cl_01k2m3n4p5q6r7s8");
 * const made: CreatedClusterCredential = await cluster.credentials.create({ name: "billing" });
 * const { username, secret: password } = made;
 * const sasl = { mechanism: "SCRAM-SHA-512", username, password } as const;
 * await using client = connect({ brokers: ["broker.example.com:9098"], tls: true, sasl });
 * ```
 */
export type CreatedClusterCredential = Schemas["CreatedCredential"];

/**
 * How clients connect to a cluster, with a snippet for each.
 *
 * @example
 * ```ts
 * import { type Connection, controlPlane } from "@millrace/sdk";
 *
 * const java = ({ snippets }: Connection): string | undefined =>
 *   snippets.find(({ client }) => client === "java")?.text;
 * const cluster = controlPlane({ url: "http://localhost:8080" }).cluster("cl_01k2m3n4p5q6r7s8");
 * console.log(java(await cluster.connection()));
 * ```
 */
export type Connection = Schemas["Connection"];

/**
 * A key of the control plane, without its secret part.
 *
 * @example
 * ```ts
 * import { type ApiKey, controlPlane } from "@millrace/sdk";
 *
 * const isAdmin = ({ role }: ApiKey): boolean => role === "admin";
 * const control = controlPlane({ url: "http://localhost:8080" });
 * for await (const key of control.apiKeys.list()) console.log(key.name, isAdmin(key));
 * ```
 */
export type ApiKey = Schemas["ApiKey"];

/**
 * A new API key as it is shown this once.
 *
 * @example
 * ```ts
 * import { controlPlane, type CreatedApiKey } from "@millrace/sdk";
 *
 * const control = controlPlane({ url: "http://localhost:8080" });
 * const made: CreatedApiKey = await control.apiKeys.create({ name: "deployer", role: "operator" });
 * const later = controlPlane({ url: "http://localhost:8080", apiKey: made.key });
 * console.log(await later.whoAmI());
 * ```
 */
export type CreatedApiKey = Schemas["CreatedApiKey"];

/**
 * What an API key is created with.
 *
 * @example
 * ```ts
 * import { controlPlane, type NewApiKey } from "@millrace/sdk";
 *
 * const wanted: NewApiKey = { name: "dashboard", role: "viewer" };
 * console.log((await controlPlane({ url: "http://localhost:8080" }).apiKeys.create(wanted)).id);
 * ```
 */
export type NewApiKey = Schemas["CreateApiKey"];

/**
 * Who asks the control plane, and what it may do.
 *
 * @example
 * ```ts
 * import { controlPlane, type Principal } from "@millrace/sdk";
 *
 * const mayWrite = ({ role }: Principal): boolean => role !== "viewer";
 * console.log(mayWrite(await controlPlane({ url: "http://localhost:8080" }).whoAmI()));
 * ```
 */
export type Principal = Schemas["Principal"];
