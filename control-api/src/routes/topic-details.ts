/** A topic's configs, all of them, and its partitions with their leaders and offsets. */
import { createRoute } from "@hono/zod-openapi";
import type { App, ControlDependencies } from "../app-type.ts";
import { cursorOf, positionAfter } from "../cursor.ts";
import { notFound } from "../problems.ts";
import { pageQuerySchema, pageSchema } from "../schemas/common.ts";
import { topicConfigsSchema, topicParamsSchema, topicPartitionSchema } from "../schemas/topic.ts";
import { json, problems } from "./answers.ts";
import { adminOf } from "./find-cluster.ts";
import { requireRole, roleNote } from "./require-role.ts";

const topicPath = "/v1/clusters/{clusterId}/topics/{topic}";
const common = { tags: ["Topics"], security: [{ apiKey: [] }] };
const ofCluster = ["not-found", "wrong-state", "cluster-unavailable"] as const;

export function mountTopicDetails(app: App, deps: ControlDependencies): void {
  mountConfigs(app, deps);
  mountPartitions(app, deps);
}

function mountConfigs(app: App, deps: ControlDependencies): void {
  const route = createRoute({
    ...{ method: "get", path: `${topicPath}/configs`, operationId: "describeTopicConfigs" },
    ...common,
    summary: "Describe all configs of a topic",
    middleware: requireRole("viewer"),
    ...roleNote("viewer"),
    request: { params: topicParamsSchema },
    responses: { 200: json("Its configs.", topicConfigsSchema), ...problems(...ofCluster) },
  } as const);
  app.openapi(route, async (context) => {
    const { clusterId, topic } = context.req.valid("param");
    const admin = await adminOf(deps, clusterId);
    return context.json({ items: [...(await admin.topicConfigs(topic))] }, 200);
  });
}

function mountPartitions(app: App, deps: ControlDependencies): void {
  const route = createRoute({
    ...{ method: "get", path: `${topicPath}/partitions`, operationId: "listTopicPartitions" },
    ...common,
    summary: "List the partitions of a topic, with leaders and offsets",
    middleware: requireRole("viewer"),
    ...roleNote("viewer"),
    request: { params: topicParamsSchema, query: pageQuerySchema },
    responses: {
      200: json("A page of partitions.", pageSchema("TopicPartitionPage", topicPartitionSchema)),
      ...problems(...ofCluster),
    },
  } as const);
  app.openapi(route, async (context) => {
    const { clusterId, topic } = context.req.valid("param");
    const { cursor, limit } = context.req.valid("query");
    const list = `partitions ${clusterId} ${topic}`;
    const { hashing } = deps;
    const after = positionAfter(cursor, { hashing, list, read: partitionOf }) ?? -1;
    const admin = await adminOf(deps, clusterId);
    const [found] = await admin.topics([topic]);
    if (found === undefined) throw notFound(`topic ${topic}`);
    const ends = await admin.offsets(topic);
    const rest = found.partitions.filter(({ partition }) => partition > after);
    const items = rest.slice(0, limit).map((partition) => {
      const end = ends.find((candidate) => candidate.partition === partition.partition);
      const { earliestOffset = -1, latestOffset = -1 } = end ?? {};
      return { ...partition, earliestOffset, latestOffset };
    });
    const last = items.at(-1);
    if (rest.length <= limit || last === undefined) return context.json({ items }, 200);
    const nextCursor = cursorOf(hashing, list, String(last.partition));
    return context.json({ items, nextCursor }, 200);
  });
}

function partitionOf(text: string): number | undefined {
  return /^[0-9]{1,9}$/u.test(text) ? Number(text) : undefined;
}
