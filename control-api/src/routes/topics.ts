/**
 * Topics of a cluster: `/v1/clusters/{clusterId}/topics`. They live in the cluster; the control plane
 * keeps nothing of them and asks the brokers, as any Kafka client does.
 */
import { createRoute } from "@hono/zod-openapi";
import type { Clock } from "@millrace/core";
import type { App, ControlDependencies } from "../app-type.ts";
import { afterCursor, cursorOf, pageInMemory } from "../cursor.ts";
import { idempotent } from "../idempotency/middleware.ts";
import { madeTopicLookMs, madeTopicLooksMax } from "../limits.ts";
import {
  type ClusterAdmin,
  ClusterUnavailableError,
  type DescribedTopic,
  KafkaRefusal,
  type TopicConfig,
} from "../ports/cluster-admin.ts";
import { notFound } from "../problems.ts";
import { clusterParamsSchema } from "../schemas/cluster.ts";
import { idempotencyHeaderSchema, pageQuerySchema, pageSchema } from "../schemas/common.ts";
import {
  changeTopicSchema,
  type CreateTopic,
  createTopicSchema,
  type Topic,
  topicParamsSchema,
  topicSchema,
  type TopicSummary,
  topicSummarySchema,
} from "../schemas/topic.ts";
import { body, bodyProblems, creationProblems, json, links, problems } from "./answers.ts";
import { adminOf } from "./find-cluster.ts";
import { jsonBody } from "./json-body.ts";
import { requireRole, roleNote } from "./require-role.ts";
import { mountTopicDetails } from "./topic-details.ts";

const topicsPath = "/v1/clusters/{clusterId}/topics";
const topicPath = `${topicsPath}/{topic}` as const;
const common = { tags: ["Topics"], security: [{ apiKey: [] }] };
const ofCluster = ["not-found", "wrong-state", "cluster-unavailable"] as const;

const named = { parameter: "topic", field: "name", inCluster: true } as const;
const onTopic = [
  ...["describeTopic", "changeTopic", "deleteTopic"],
  ...["describeTopicConfigs", "listTopicPartitions"],
];

export function mountTopics(app: App, deps: ControlDependencies): void {
  mountList(app, deps);
  mountCreate(app, deps);
  mountRead(app, deps);
  mountChange(app, deps);
  mountDelete(app, deps);
  mountTopicDetails(app, deps);
}

function mountList(app: App, deps: ControlDependencies): void {
  const route = createRoute({
    ...{ method: "get", path: topicsPath, operationId: "listTopics", ...common },
    summary: "List the topics of a cluster, by name",
    middleware: requireRole("viewer"),
    ...roleNote("viewer"),
    request: { params: clusterParamsSchema, query: pageQuerySchema },
    responses: {
      200: json("A page of topics.", pageSchema("TopicPage", topicSummarySchema)),
      ...problems(...ofCluster),
    },
  } as const);
  app.openapi(route, async (context) => {
    const { clusterId } = context.req.valid("param");
    const { cursor, limit } = context.req.valid("query");
    const list = `topics ${clusterId}`;
    const after = afterCursor(deps.hashing, list, cursor);
    const admin = await adminOf(deps, clusterId);
    const page = pageInMemory(await admin.topicNames(), (name) => name, { limit, after });
    const topics = await admin.topics(page.items);
    const items = topics.map(summaryOf);
    const { next } = page;
    const rest = next === undefined ? {} : { nextCursor: cursorOf(deps.hashing, list, next) };
    return context.json({ items, ...rest }, 200);
  });
}

function mountCreate(app: App, deps: ControlDependencies): void {
  const route = createRoute({
    ...{ method: "post", path: topicsPath, operationId: "createTopic", ...common },
    summary: "Create a topic",
    middleware: [requireRole("operator"), jsonBody, idempotent(deps)],
    ...roleNote("operator"),
    request: {
      params: clusterParamsSchema,
      headers: idempotencyHeaderSchema,
      body: body(createTopicSchema),
    },
    responses: {
      201: { ...json("The topic.", topicSchema), ...links(named, onTopic) },
      ...problems(...ofCluster, ...creationProblems, "already-exists", "refused"),
    },
  } as const);
  app.openapi(route, async (context) => {
    const { clusterId } = context.req.valid("param");
    const wanted = context.req.valid("json");
    const admin = await adminOf(deps, clusterId);
    const refusal = await createOnce(admin, wanted, context.get("attempt"));
    const topic = await madeTopic(admin, wanted.name, deps.clock);
    const isOther = wanted.partitions !== undefined && wanted.partitions !== topic.partitions;
    if (refusal !== undefined && isOther) throw refusal;
    const path = `/v1/clusters/${clusterId}/topics/${wanted.name}`;
    return context.json(topic, 201, { location: path });
  });
}

/**
 * A try that goes on in another one's place may find what that one made: then it returns the refusal,
 * which holds if that is another topic.
 */
async function createOnce(
  admin: ClusterAdmin,
  wanted: CreateTopic,
  { isRepeated }: { readonly isRepeated: boolean },
): Promise<KafkaRefusal | undefined> {
  const { configs, name, partitions, replicationFactor } = wanted;
  try {
    await admin.createTopic({
      ...{ name, configs },
      ...(partitions === undefined ? {} : { partitions }),
      ...(replicationFactor === undefined ? {} : { replicationFactor }),
    });
    return undefined;
  } catch (error) {
    const isThere = error instanceof KafkaRefusal && error.code === "TOPIC_ALREADY_EXISTS";
    if (isThere && isRepeated) return error;
    throw error;
  }
}

/**
 * One that was made a moment ago: a broker may be asked that has not followed. That it does not show
 * it is no refusal, so that the request's key goes on standing for it. Throws ClusterUnavailableError.
 */
async function madeTopic(admin: ClusterAdmin, name: string, clock: Clock): Promise<Topic> {
  for (let look = 1; look < madeTopicLooksMax; look += 1) {
    const found = await findTopic(admin, name);
    if (found !== undefined) return found;
    await new Promise<void>((resolve) => clock.after(madeTopicLookMs, resolve));
  }
  const found = await findTopic(admin, name);
  if (found !== undefined) return found;
  throw new ClusterUnavailableError(`topic ${name} is made, but no broker shows it yet`);
}

function mountRead(app: App, deps: ControlDependencies): void {
  const route = createRoute({
    ...{ method: "get", path: topicPath, operationId: "describeTopic", ...common },
    summary: "Describe a topic",
    middleware: requireRole("viewer"),
    ...roleNote("viewer"),
    request: { params: topicParamsSchema },
    responses: { 200: json("The topic.", topicSchema), ...problems(...ofCluster) },
  } as const);
  app.openapi(route, async (context) => {
    const { clusterId, topic } = context.req.valid("param");
    const admin = await adminOf(deps, clusterId);
    return context.json(await readTopic(admin, topic), 200);
  });
}

function mountChange(app: App, deps: ControlDependencies): void {
  const route = createRoute({
    ...{ method: "patch", path: topicPath, operationId: "changeTopic", ...common },
    summary: "Add partitions to a topic, or change its configs",
    middleware: [requireRole("operator"), jsonBody],
    ...roleNote("operator"),
    request: { params: topicParamsSchema, body: body(changeTopicSchema) },
    responses: {
      200: json("The topic.", topicSchema),
      ...problems(...ofCluster, ...bodyProblems, "refused"),
    },
  } as const);
  app.openapi(route, async (context) => {
    const { clusterId, topic } = context.req.valid("param");
    const { configs, partitions } = context.req.valid("json");
    const admin = await adminOf(deps, clusterId);
    const before = await readTopic(admin, topic);
    if (configs !== undefined && Object.keys(configs).length > 0) {
      await admin.alterTopicConfigs(topic, configs);
    }
    // What has as many already needs no more, so that a repeat succeeds.
    if (partitions !== undefined && partitions !== before.partitions) {
      await admin.growTopic(topic, partitions);
    }
    return context.json(await readTopic(admin, topic), 200);
  });
}

function mountDelete(app: App, deps: ControlDependencies): void {
  const route = createRoute({
    ...{ method: "delete", path: topicPath, operationId: "deleteTopic", ...common },
    summary: "Delete a topic and its records",
    middleware: requireRole("operator"),
    ...roleNote("operator"),
    request: { params: topicParamsSchema },
    responses: { 204: { description: "It is gone." }, ...problems(...ofCluster, "refused") },
  } as const);
  app.openapi(route, async (context) => {
    const { clusterId, topic } = context.req.valid("param");
    const admin = await adminOf(deps, clusterId);
    await admin.deleteTopic(topic);
    return context.body(null, 204);
  });
}

async function readTopic(admin: ClusterAdmin, name: string): Promise<Topic> {
  const found = await findTopic(admin, name);
  if (found === undefined) throw notFound(`topic ${name}`);
  return found;
}

async function findTopic(admin: ClusterAdmin, name: string): Promise<Topic | undefined> {
  const [found] = await admin.topics([name]);
  if (found === undefined) return undefined;
  const configs = await configsOf(admin, name);
  if (configs === undefined) return undefined;
  const own = configs.flatMap(
    ({ isDefault, name, value }): readonly (readonly [string, string])[] =>
      isDefault || value === null ? [] : [[name, value]],
  );
  return { ...summaryOf(found), configs: Object.fromEntries(own) };
}

/** Undefined: the broker that was asked knows no such topic. */
async function configsOf(
  admin: ClusterAdmin,
  name: string,
): Promise<readonly TopicConfig[] | undefined> {
  try {
    return await admin.topicConfigs(name);
  } catch (error) {
    const isMissing = error instanceof KafkaRefusal && error.code === "UNKNOWN_TOPIC_OR_PARTITION";
    if (isMissing) return undefined;
    throw error;
  }
}

function summaryOf({ id, name, partitions }: DescribedTopic): TopicSummary {
  return {
    ...{ name, id, partitions: partitions.length },
    replicationFactor: partitions[0]?.replicas.length ?? 0,
  };
}
