/** Long work on clusters: `/v1/operations`. */
import { createRoute, z } from "@hono/zod-openapi";
import { asClusterId } from "@millrace/core";
import type { App, ControlDependencies } from "../app-type.ts";
import { cursorOf, positionAfter } from "../cursor.ts";
import { asOperationId } from "../operations/operation-record.ts";
import { notFound } from "../problems.ts";
import { pageQuerySchema, pageSchema } from "../schemas/common.ts";
import { operationParamsSchema, operationSchema, shownOperation } from "../schemas/operation.ts";
import { json, problems } from "./answers.ts";
import { requireRole, roleNote } from "./require-role.ts";

const common = { tags: ["Operations"], security: [{ apiKey: [] }] };

const querySchema = pageQuerySchema.extend({
  clusterId: z
    .string()
    .regex(/^cl_[0-9a-hjkmnp-tv-z]{16}$/)
    .optional()
    .openapi({ description: "Of this cluster alone." }),
});

export function mountOperations(app: App, deps: ControlDependencies): void {
  mountList(app, deps);
  mountRead(app, deps);
}

function mountList(app: App, deps: ControlDependencies): void {
  const route = createRoute({
    ...{ method: "get", path: "/v1/operations", operationId: "listOperations", ...common },
    summary: "List operations, the oldest first",
    middleware: requireRole("viewer"),
    ...roleNote("viewer"),
    request: { query: querySchema },
    responses: {
      200: json("A page of operations.", pageSchema("OperationPage", operationSchema)),
      ...problems(),
    },
  } as const);
  app.openapi(route, async (context) => {
    const { clusterId: asked, cursor, limit } = context.req.valid("query");
    const list = `operations ${asked ?? ""}`;
    const { hashing } = deps;
    const after = positionAfter(cursor, { hashing, list, read: asOperationId });
    const clusterId = asClusterId(asked ?? "");
    const { items, next } = await deps.operations.list({
      limit,
      ...(after === undefined ? {} : { after }),
      ...(clusterId === undefined ? {} : { clusterId }),
    });
    const rest = next === undefined ? {} : { nextCursor: cursorOf(hashing, list, next) };
    return context.json({ items: items.map(shownOperation), ...rest }, 200);
  });
}

function mountRead(app: App, deps: ControlDependencies): void {
  const path = "/v1/operations/{operationId}";
  const route = createRoute({
    ...{ method: "get", path, operationId: "describeOperation", ...common },
    summary: "Describe an operation and how far it is",
    middleware: requireRole("viewer"),
    ...roleNote("viewer"),
    request: { params: operationParamsSchema },
    responses: { 200: json("The operation.", operationSchema), ...problems("not-found") },
  } as const);
  app.openapi(route, async (context) => {
    const { operationId } = context.req.valid("param");
    const found = await deps.operations.find(operationId);
    if (found === undefined) throw notFound(`operation ${operationId}`);
    return context.json(shownOperation(found), 200);
  });
}
