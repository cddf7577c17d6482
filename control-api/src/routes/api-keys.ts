/** Keys of the control plane itself: `/v1/api-keys`. Each is shown once and kept as a hash. */
import { createRoute } from "@hono/zod-openapi";
import type { App, ControlDependencies } from "../app-type.ts";
import { ApiKeys } from "../access/api-keys.ts";
import { cursorOf, idPosition, positionAfter } from "../cursor.ts";
import { idempotent } from "../idempotency/middleware.ts";
import { notFound, ProblemError } from "../problems.ts";
import {
  apiKeyParamsSchema,
  apiKeySchema,
  createApiKeySchema,
  createdApiKeySchema,
} from "../schemas/access.ts";
import { idempotencyHeaderSchema, pageQuerySchema, pageSchema } from "../schemas/common.ts";
import { apiKeysMax } from "../limits.ts";
import { body, creationProblems, json, links, problems } from "./answers.ts";
import { jsonBody } from "./json-body.ts";
import { requireRole, roleNote } from "./require-role.ts";

const keysPath = "/v1/api-keys";
const common = { tags: ["Access"], security: [{ apiKey: [] }] };

export function mountApiKeys(app: App, deps: ControlDependencies): void {
  const keys = new ApiKeys(deps);
  mountList(app, deps, keys);
  mountCreate(app, deps, keys);
  mountDelete(app, keys);
}

function mountList(app: App, deps: ControlDependencies, keys: ApiKeys): void {
  const route = createRoute({
    ...{ method: "get", path: keysPath, operationId: "listApiKeys", ...common },
    summary: "List API keys, the oldest first",
    middleware: requireRole("admin"),
    ...roleNote("admin"),
    request: { query: pageQuerySchema },
    responses: {
      200: json("A page of API keys.", pageSchema("ApiKeyPage", apiKeySchema)),
      ...problems(),
    },
  } as const);
  app.openapi(route, async (context) => {
    const { cursor, limit } = context.req.valid("query");
    const { hashing } = deps;
    const list = "api-keys";
    const after = positionAfter(cursor, { hashing, list, read: idPosition("key") });
    const { items, next } = await keys.list({ limit, after });
    const rest = next === undefined ? {} : { nextCursor: cursorOf(hashing, list, next) };
    return context.json({ items: [...items], ...rest }, 200);
  });
}

function mountCreate(app: App, deps: ControlDependencies, keys: ApiKeys): void {
  const route = createRoute({
    ...{ method: "post", path: keysPath, operationId: "createApiKey", ...common },
    summary: "Create an API key",
    middleware: [requireRole("admin"), jsonBody, idempotent(deps)],
    ...roleNote("admin"),
    request: { headers: idempotencyHeaderSchema, body: body(createApiKeySchema) },
    responses: {
      201: {
        ...json("The key, which is shown here and nowhere else.", createdApiKeySchema),
        ...links({ parameter: "apiKeyId", field: "id", inCluster: false }, ["deleteApiKey"]),
      },
      ...problems(...creationProblems, "limit-reached"),
    },
  } as const);
  app.openapi(route, async (context) => {
    const { name, role } = context.req.valid("json");
    const made = await keys.create({ name, role }, context.get("attempt"));
    if (made === "tooMany") {
      throw new ProblemError("limit-reached", `there may be ${apiKeysMax} API keys`);
    }
    return context.json(made, 201);
  });
}

function mountDelete(app: App, keys: ApiKeys): void {
  const path = `${keysPath}/{apiKeyId}` as const;
  const route = createRoute({
    ...{ method: "delete", path, operationId: "deleteApiKey", ...common },
    summary: "Delete an API key, which holds no more from then on",
    middleware: requireRole("admin"),
    ...roleNote("admin"),
    request: { params: apiKeyParamsSchema },
    responses: { 204: { description: "It is gone." }, ...problems("not-found") },
  } as const);
  app.openapi(route, async (context) => {
    const { apiKeyId } = context.req.valid("param");
    if ((await keys.delete(apiKeyId)) === "absent") throw notFound(`API key ${apiKeyId}`);
    return context.body(null, 204);
  });
}
