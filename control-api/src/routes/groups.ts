/** Consumer groups of a cluster with their lag: `/v1/clusters/{clusterId}/groups`. */
import { createRoute } from "@hono/zod-openapi";
import type { App, ControlDependencies } from "../app-type.ts";
import { afterCursor, cursorOf, pageInMemory } from "../cursor.ts";
import { notFound } from "../problems.ts";
import { clusterParamsSchema } from "../schemas/cluster.ts";
import { pageQuerySchema, pageSchema } from "../schemas/common.ts";
import { groupParamsSchema, groupSchema, groupSummarySchema } from "../schemas/group.ts";
import { json, problems } from "./answers.ts";
import { mountOffsetReset } from "./group-offsets.ts";
import { adminOf } from "./find-cluster.ts";
import { requireRole, roleNote } from "./require-role.ts";

const groupsPath = "/v1/clusters/{clusterId}/groups";
const groupPath = `${groupsPath}/{groupId}` as const;
const common = { tags: ["Groups"], security: [{ apiKey: [] }] };
const ofCluster = ["not-found", "wrong-state", "cluster-unavailable"] as const;

export function mountGroups(app: App, deps: ControlDependencies): void {
  mountList(app, deps);
  mountRead(app, deps);
  mountDelete(app, deps);
  mountOffsetReset(app, deps);
}

function mountList(app: App, deps: ControlDependencies): void {
  const route = createRoute({
    ...{ method: "get", path: groupsPath, operationId: "listGroups", ...common },
    summary: "List the groups of a cluster, by id",
    middleware: requireRole("viewer"),
    ...roleNote("viewer"),
    request: { params: clusterParamsSchema, query: pageQuerySchema },
    responses: {
      200: json("A page of groups.", pageSchema("GroupPage", groupSummarySchema)),
      ...problems(...ofCluster),
    },
  } as const);
  app.openapi(route, async (context) => {
    const { clusterId } = context.req.valid("param");
    const { cursor, limit } = context.req.valid("query");
    const list = `groups ${clusterId}`;
    const after = afterCursor(deps.hashing, list, cursor);
    const admin = await adminOf(deps, clusterId);
    const groups = (await admin.groups.list()).toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const { items, next } = pageInMemory(groups, ({ id }) => id, { limit, after });
    const rest = next === undefined ? {} : { nextCursor: cursorOf(deps.hashing, list, next) };
    return context.json({ items: [...items], ...rest }, 200);
  });
}

function mountRead(app: App, deps: ControlDependencies): void {
  const route = createRoute({
    ...{ method: "get", path: groupPath, operationId: "describeGroup", ...common },
    summary: "Describe a group: its members, and how far it is behind",
    middleware: requireRole("viewer"),
    ...roleNote("viewer"),
    request: { params: groupParamsSchema },
    responses: { 200: json("The group.", groupSchema), ...problems(...ofCluster) },
  } as const);
  app.openapi(route, async (context) => {
    const { clusterId, groupId } = context.req.valid("param");
    const { groups } = await adminOf(deps, clusterId);
    const found = await groups.find(groupId);
    if (found === undefined) throw notFound(`group ${groupId}`);
    const partitions = await groups.lag(groupId);
    const total = partitions.reduce((sum, { lag }) => sum + lag, 0);
    return context.json({ ...found, lag: { total, partitions } }, 200);
  });
}

function mountDelete(app: App, deps: ControlDependencies): void {
  const route = createRoute({
    ...{ method: "delete", path: groupPath, operationId: "deleteGroup", ...common },
    summary: "Delete a group without members, and what it has committed",
    middleware: requireRole("operator"),
    ...roleNote("operator"),
    request: { params: groupParamsSchema },
    responses: {
      204: { description: "It is gone." },
      ...problems(...ofCluster, "group-not-empty", "refused"),
    },
  } as const);
  app.openapi(route, async (context) => {
    const { clusterId, groupId } = context.req.valid("param");
    const { groups } = await adminOf(deps, clusterId);
    await groups.delete(groupId);
    return context.body(null, 204);
  });
}
