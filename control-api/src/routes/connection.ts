import { createRoute } from "@hono/zod-openapi";
import type { App, ControlDependencies } from "../app-type.ts";
import { snippetsFor } from "../connection/snippets.ts";
import { connectionSchema } from "../schemas/access.ts";
import { clusterParamsSchema } from "../schemas/cluster.ts";
import { json, problems } from "./answers.ts";
import { findCluster } from "./find-cluster.ts";
import { requireRole, roleNote } from "./require-role.ts";

/** `GET /v1/clusters/{clusterId}/connection`: where clients connect, and how each is told so. */
export function mountConnection(app: App, deps: ControlDependencies): void {
  const path = "/v1/clusters/{clusterId}/connection";
  const route = createRoute({
    ...{ method: "get", path, operationId: "describeConnection", tags: ["Credentials"] },
    summary: "How clients connect, with a snippet for each",
    security: [{ apiKey: [] }],
    middleware: requireRole("viewer"),
    ...roleNote("viewer"),
    request: { params: clusterParamsSchema },
    responses: {
      200: json("Addresses and snippets.", connectionSchema),
      ...problems("not-found"),
    },
  } as const);
  app.openapi(route, async (context) => {
    const { clusterId } = context.req.valid("param");
    const facts = deps.access.connection(await findCluster(deps, clusterId));
    const { bootstrapServers, saslMechanisms } = facts;
    return context.json(
      {
        ...facts,
        bootstrapServers: [...bootstrapServers],
        saslMechanisms: [...saslMechanisms],
        snippets: bootstrapServers.length === 0 ? [] : [...snippetsFor(facts)],
      },
      200,
    );
  });
}
