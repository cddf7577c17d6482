/**
 * Clusters: `/v1/clusters`. What takes long is an operation: the answer comes at once, and names it.
 *
 * A deployment without provisioning (a broker's own process) shows its cluster, and answers what
 * would make, change or delete one by 405.
 */
import { createRoute } from "@hono/zod-openapi";
import { asClusterId, type ClusterId } from "@millrace/core";
import type { App, ControlDependencies } from "../app-type.ts";
import type { AtVersion, ClusterOutcome } from "../clusters/cluster-record.ts";
import { cursorOf, positionAfter } from "../cursor.ts";
import { idempotent } from "../idempotency/middleware.ts";
import {
  changeClusterSchema,
  clusterParamsSchema,
  clusterSchema,
  createClusterSchema,
  shownCluster,
} from "../schemas/cluster.ts";
import {
  idempotencyHeaderSchema,
  ifMatchHeaderSchema,
  pageQuerySchema,
  pageSchema,
  tagOfVersion,
  versionOfTag,
} from "../schemas/common.ts";
import { ProblemError } from "../problems.ts";
import { body, bodyProblems, creationProblems, json, links, problems } from "./answers.ts";
import { createdBefore, refusalOf } from "./cluster-refusals.ts";
import { findCluster } from "./find-cluster.ts";
import { jsonBody } from "./json-body.ts";
import { requireRole, roleNote } from "./require-role.ts";

const clustersPath = "/v1/clusters";
const clusterPath = "/v1/clusters/{clusterId}";
const common = { tags: ["Clusters"], security: [{ apiKey: [] }] };

const onCluster = [
  ...["describeCluster", "changeCluster", "deleteCluster", "describeConnection"],
  ...["createTopic", "listTopics", "listGroups", "createCredential", "listCredentials"],
];

export function mountClusters(app: App, deps: ControlDependencies): void {
  mountList(app, deps);
  mountCreate(app, deps);
  mountRead(app, deps);
  mountChange(app, deps);
  mountDelete(app, deps);
  mountBegin(app, deps, {
    ...{ verb: "retry", operationId: "retryCluster", summary: "Begin again what failed" },
    description: "An operation of the same kind goes on from what is there.",
    begin: (id, at) => deps.clusters.retry(id, at),
  });
  mountBegin(app, deps, {
    ...{ verb: "upgrade", operationId: "upgradeCluster" },
    summary: "Bring a cluster's brokers to what the deployment has now",
    description:
      "Each broker hands over, ends and starts anew, one after another, of the deployment's present version and settings; also where nothing has changed. With `If-Match` a repeat does nothing twice.",
    begin: (id, at) => deps.clusters.upgrade(id, at),
  });
}

function mountList(app: App, deps: ControlDependencies): void {
  const route = createRoute({
    ...{ method: "get", path: clustersPath, operationId: "listClusters", ...common },
    summary: "List clusters, the oldest first",
    middleware: requireRole("viewer"),
    ...roleNote("viewer"),
    request: { query: pageQuerySchema },
    responses: {
      200: json("A page of clusters.", pageSchema("ClusterPage", clusterSchema)),
      ...problems(),
    },
  } as const);
  app.openapi(route, async (context) => {
    const { cursor, limit } = context.req.valid("query");
    const { hashing } = deps;
    const after = positionAfter(cursor, { hashing, list: "clusters", read: asClusterId });
    const page = { limit, ...(after === undefined ? {} : { after }) };
    const { items, next } = await deps.clusters.list(page);
    const rest = next === undefined ? {} : { nextCursor: cursorOf(hashing, "clusters", next) };
    return context.json({ items: items.map(shownCluster), ...rest }, 200);
  });
}

function mountCreate(app: App, deps: ControlDependencies): void {
  const route = createRoute({
    ...{ method: "post", path: clustersPath, operationId: "createCluster", ...common },
    summary: "Create a cluster",
    description: "The answer comes at once; `operation` says how far the cluster is.",
    middleware: [requireRole("admin"), provisioned(deps, "GET, HEAD"), jsonBody, idempotent(deps)],
    ...roleNote("admin"),
    request: { headers: idempotencyHeaderSchema, body: body(createClusterSchema) },
    responses: {
      202: {
        ...json("The cluster, which is being made.", clusterSchema),
        ...links({ parameter: "clusterId", field: "id", inCluster: false }, onCluster),
      },
      ...problems(...creationProblems, "already-exists", "limit-reached"),
    },
  } as const);
  app.openapi(route, async (context) => {
    const { brokerSize, brokers, deletionProtection, limits, name } = context.req.valid("json");
    const spec = { brokers, brokerSize, limits: definedLimits(limits) };
    const wanted = { name, spec, deletionProtection };
    const outcome = await deps.clusters.create(wanted);
    const { isRepeated, startedMs } = context.get("attempt");
    const before = isRepeated && outcome.kind === "nameTaken";
    const cluster = before
      ? await createdBefore(deps.clusters, { wanted, startedMs }, outcome)
      : madeBy(outcome).cluster;
    const headers = {
      ...{ location: `${clustersPath}/${cluster.id}` },
      etag: tagOfVersion(cluster.version),
    };
    return context.json(shownCluster(cluster), 202, headers);
  });
}

function mountRead(app: App, deps: ControlDependencies): void {
  const route = createRoute({
    ...{ method: "get", path: clusterPath, operationId: "describeCluster", ...common },
    summary: "Describe a cluster",
    middleware: requireRole("viewer"),
    ...roleNote("viewer"),
    request: { params: clusterParamsSchema },
    responses: { 200: json("The cluster.", clusterSchema), ...problems("not-found") },
  } as const);
  app.openapi(route, async (context) => {
    const { clusterId } = context.req.valid("param");
    const cluster = await findCluster(deps, clusterId);
    return context.json(shownCluster(cluster), 200, { etag: tagOfVersion(cluster.version) });
  });
}

const changeProblems = [
  ...bodyProblems,
  "not-found",
  "operation-under-way",
  "wrong-state",
  "precondition-failed",
] as const;

function mountChange(app: App, deps: ControlDependencies): void {
  const route = createRoute({
    ...{ method: "patch", path: clusterPath, operationId: "changeCluster", ...common },
    summary: "Change a cluster's size, its limits or its protection",
    middleware: [requireRole("admin"), provisioned(deps, "GET, HEAD"), jsonBody],
    ...roleNote("admin"),
    request: {
      params: clusterParamsSchema,
      headers: ifMatchHeaderSchema,
      body: body(changeClusterSchema),
    },
    responses: {
      200: json("The cluster as it is now.", clusterSchema),
      202: json("The cluster, which is being changed.", clusterSchema),
      ...problems(...changeProblems),
    },
  } as const);
  app.openapi(route, async (context) => {
    const { clusterId } = context.req.valid("param");
    const { brokerSize, brokers, deletionProtection, limits } = context.req.valid("json");
    const change = {
      ...(brokers === undefined ? {} : { brokers }),
      ...(brokerSize === undefined ? {} : { brokerSize }),
      ...(limits === undefined ? {} : { limits: definedLimits(limits) }),
      ...(deletionProtection === undefined ? {} : { deletionProtection }),
    };
    const at = atVersion(context.req.valid("header")["if-match"]);
    const made = madeBy(await deps.clusters.change(clusterId, change, at));
    const headers = { etag: tagOfVersion(made.cluster.version) };
    const shown = shownCluster(made.cluster);
    if (made.kind === "changed") return context.json(shown, 200, headers);
    return context.json(shown, 202, headers);
  });
}

function mountDelete(app: App, deps: ControlDependencies): void {
  const route = createRoute({
    ...{ method: "delete", path: clusterPath, operationId: "deleteCluster", ...common },
    summary: "Delete a cluster and everything in it",
    middleware: [requireRole("admin"), provisioned(deps, "GET, HEAD")],
    ...roleNote("admin"),
    request: { params: clusterParamsSchema, headers: ifMatchHeaderSchema },
    responses: {
      202: json("The cluster, which is being deleted.", clusterSchema),
      ...problems(...changeProblems, "deletion-protected"),
    },
  } as const);
  app.openapi(route, async (context) => {
    const { clusterId } = context.req.valid("param");
    const at = atVersion(context.req.valid("header")["if-match"]);
    const { cluster } = madeBy(await deps.clusters.remove(clusterId, at));
    return context.json(shownCluster(cluster), 202, { etag: tagOfVersion(cluster.version) });
  });
}

/** What begins an operation, and takes nothing but the cluster. */
interface Begin {
  readonly verb: "retry" | "upgrade";
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly begin: (id: ClusterId, at: AtVersion) => Promise<ClusterOutcome>;
}

function mountBegin(app: App, deps: ControlDependencies, { begin, verb, ...about }: Begin): void {
  const path = `${clusterPath}/${verb}` as const;
  const route = createRoute({
    ...{ method: "post", path, ...common, ...about },
    middleware: [requireRole("admin"), provisioned(deps, "")],
    ...roleNote("admin"),
    request: { params: clusterParamsSchema, headers: ifMatchHeaderSchema },
    responses: {
      202: json("The cluster, whose operation has begun.", clusterSchema),
      ...problems(...changeProblems, "deletion-protected"),
    },
  } as const);
  app.openapi(route, async (context) => {
    const { clusterId } = context.req.valid("param");
    const at = atVersion(context.req.valid("header")["if-match"]);
    const { cluster } = madeBy(await begin(clusterId, at));
    return context.json(shownCluster(cluster), 202, { etag: tagOfVersion(cluster.version) });
  });
}

/** Refuses what this deployment can't do: RFC 9110's 405, of a method that this resource lacks. */
function provisioned(deps: ControlDependencies, allow: string): ReturnType<typeof requireRole> {
  return async (_, next) => {
    if (deps.provisioning === "none") {
      const detail = "a single broker is its own cluster: it makes, changes and deletes none";
      throw new ProblemError("method-not-allowed", detail, { headers: { allow } });
    }
    await next();
  };
}

/** Throws ProblemError for a refusal. */
function madeBy(outcome: ClusterOutcome): Extract<ClusterOutcome, { readonly cluster: unknown }> {
  if (outcome.kind === "started" || outcome.kind === "changed") return outcome;
  throw refusalOf(outcome);
}

function atVersion(tag: string | undefined): AtVersion {
  const version = versionOfTag(tag);
  return version === undefined ? {} : { version };
}

function definedLimits(limits: Partial<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(limits).flatMap(
    ([name, value]): readonly (readonly [string, string])[] =>
      value === undefined ? [] : [[name, value]],
  );
  return Object.fromEntries(entries);
}
