/**
 * What Kafka clients log in with: `/v1/clusters/{clusterId}/credentials`. Written into the cluster's
 * metadata store, so that brokers need not be there; they follow within a look, and end the sessions
 * of a deleted one.
 */
import { createRoute } from "@hono/zod-openapi";
import { Credentials } from "../access/credentials.ts";
import type { App, ControlDependencies } from "../app-type.ts";
import { cursorOf, idPosition, positionAfter } from "../cursor.ts";
import { idempotent } from "../idempotency/middleware.ts";
import { credentialsMax } from "../limits.ts";
import { notFound, ProblemError } from "../problems.ts";
import {
  createCredentialSchema,
  createdCredentialSchema,
  credentialParamsSchema,
  credentialSchema,
} from "../schemas/access.ts";
import { clusterParamsSchema } from "../schemas/cluster.ts";
import { idempotencyHeaderSchema, pageQuerySchema, pageSchema } from "../schemas/common.ts";
import { body, creationProblems, json, links, problems } from "./answers.ts";
import { findCluster, ofThere } from "./find-cluster.ts";
import { jsonBody } from "./json-body.ts";
import { requireRole, roleNote } from "./require-role.ts";

const credentialsPath = "/v1/clusters/{clusterId}/credentials";
const common = { tags: ["Credentials"], security: [{ apiKey: [] }] };

export function mountCredentials(app: App, deps: ControlDependencies): void {
  const credentials = new Credentials(deps);
  mountList(app, deps, credentials);
  mountCreate(app, deps, credentials);
  mountDelete(app, deps, credentials);
}

function mountList(app: App, deps: ControlDependencies, credentials: Credentials): void {
  const route = createRoute({
    ...{ method: "get", path: credentialsPath, operationId: "listCredentials", ...common },
    summary: "List the credentials of a cluster, the oldest first",
    middleware: requireRole("operator"),
    ...roleNote("operator"),
    request: { params: clusterParamsSchema, query: pageQuerySchema },
    responses: {
      200: json("A page of credentials.", pageSchema("CredentialPage", credentialSchema)),
      ...problems("not-found", "wrong-state"),
    },
  } as const);
  app.openapi(route, async (context) => {
    const { clusterId } = context.req.valid("param");
    const { cursor, limit } = context.req.valid("query");
    const list = `credentials ${clusterId}`;
    const read = idPosition("cr");
    const after = positionAfter(cursor, { hashing: deps.hashing, list, read });
    const cluster = await findCluster(deps, clusterId);
    const page = { limit, after };
    const { items, next } = await ofThere(cluster, () => credentials.list(cluster, page));
    const rest = next === undefined ? {} : { nextCursor: cursorOf(deps.hashing, list, next) };
    return context.json({ items: [...items], ...rest }, 200);
  });
}

function mountCreate(app: App, deps: ControlDependencies, credentials: Credentials): void {
  const route = createRoute({
    ...{ method: "post", path: credentialsPath, operationId: "createCredential", ...common },
    summary: "Create a credential",
    middleware: [requireRole("operator"), jsonBody, idempotent(deps)],
    ...roleNote("operator"),
    request: {
      params: clusterParamsSchema,
      headers: idempotencyHeaderSchema,
      body: body(createCredentialSchema),
    },
    responses: {
      201: {
        ...json(
          "It, with the secret that is shown here and nowhere else.",
          createdCredentialSchema,
        ),
        ...links({ parameter: "credentialId", field: "id", inCluster: true }, ["deleteCredential"]),
      },
      ...problems(...creationProblems, "not-found", "wrong-state", "limit-reached"),
    },
  } as const);
  app.openapi(route, async (context) => {
    const { clusterId } = context.req.valid("param");
    const { name } = context.req.valid("json");
    const cluster = await findCluster(deps, clusterId);
    const attempt = context.get("attempt");
    const made = await ofThere(cluster, () => credentials.create(cluster, name, attempt));
    if (made === "tooMany") {
      throw new ProblemError("limit-reached", `there may be ${credentialsMax} credentials`);
    }
    return context.json(made, 201);
  });
}

function mountDelete(app: App, deps: ControlDependencies, credentials: Credentials): void {
  const path = `${credentialsPath}/{credentialId}` as const;
  const route = createRoute({
    ...{ method: "delete", path, operationId: "deleteCredential", ...common },
    summary: "Delete a credential, and end the sessions that rest on it",
    middleware: requireRole("operator"),
    ...roleNote("operator"),
    request: { params: credentialParamsSchema },
    responses: { 204: { description: "It is gone." }, ...problems("not-found", "wrong-state") },
  } as const);
  app.openapi(route, async (context) => {
    const { clusterId, credentialId } = context.req.valid("param");
    const cluster = await findCluster(deps, clusterId);
    const outcome = await ofThere(cluster, () => credentials.delete(cluster, credentialId));
    if (outcome === "absent") throw notFound(`credential ${credentialId}`);
    return context.body(null, 204);
  });
}
