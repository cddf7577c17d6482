import { createRoute } from "@hono/zod-openapi";
import type { App } from "../app-type.ts";
import { whoAmISchema } from "../schemas/access.ts";
import { json, problems } from "./answers.ts";
import { requireRole, roleNote } from "./require-role.ts";

/** `GET /v1/whoami`: the caller, as the API sees it. */
export function mountWhoAmI(app: App): void {
  const route = createRoute({
    ...{ method: "get", path: "/v1/whoami", operationId: "whoAmI", tags: ["Access"] },
    summary: "Who the caller is",
    middleware: requireRole("viewer"),
    security: [{ apiKey: [] }],
    ...roleNote("viewer"),
    responses: { 200: json("The caller.", whoAmISchema), ...problems() },
  } as const);
  app.openapi(route, (context) => {
    const { id, kind, role } = context.get("principal");
    return context.json({ kind, id, role }, 200);
  });
}
