/**
 * Resets what a group has committed: `POST /v1/clusters/{clusterId}/groups/{groupId}/offsets`.
 *
 * Path: the group has no members → where each partition would go, of what the brokers say → commit,
 * unless it is a dry run. A member that joins in between makes the brokers refuse the commit, so that
 * it is 409 either way. A group that is not there comes to be, as with Kafka's own tool.
 * A partition is committed for itself: after a failure some may be, and a repeat finishes the rest.
 */
import { createRoute } from "@hono/zod-openapi";
import type { App, ControlDependencies } from "../app-type.ts";
import { knownTopics, plannedReset } from "../groups/offset-resets.ts";
import { idempotent } from "../idempotency/middleware.ts";
import type { GroupAdmin } from "../ports/cluster-admin.ts";
import { ProblemError } from "../problems.ts";
import { idempotencyHeaderSchema } from "../schemas/common.ts";
import { groupParamsSchema } from "../schemas/group.ts";
import { offsetsResetSchema, resetOffsetsSchema } from "../schemas/group-offsets.ts";
import { body, creationProblems, json, problems } from "./answers.ts";
import { adminOf } from "./find-cluster.ts";
import { jsonBody } from "./json-body.ts";
import { requireRole, roleNote } from "./require-role.ts";

const ofCluster = ["not-found", "wrong-state", "cluster-unavailable"] as const;
/** In Kafka's words: nobody consumes. */
const inactive: ReadonlySet<string> = new Set(["Empty", "Dead"]);

export function mountOffsetReset(app: App, deps: ControlDependencies): void {
  const route = createRoute({
    ...{ method: "post", path: "/v1/clusters/{clusterId}/groups/{groupId}/offsets" },
    ...{ operationId: "resetGroupOffsets", tags: ["Groups"], security: [{ apiKey: [] }] },
    summary: "Reset the offsets of a group without members",
    middleware: [requireRole("operator"), jsonBody, idempotent(deps)],
    ...roleNote("operator"),
    request: {
      params: groupParamsSchema,
      headers: idempotencyHeaderSchema,
      body: body(resetOffsetsSchema),
    },
    responses: {
      200: json("What is committed now, or would be.", offsetsResetSchema),
      ...problems(...ofCluster, ...creationProblems, "group-not-empty", "refused"),
    },
  } as const);
  app.openapi(route, async (context) => {
    const { clusterId, groupId } = context.req.valid("param");
    const { dryRun, resets } = context.req.valid("json");
    const admin = await adminOf(deps, clusterId);
    await refuseActive(admin.groups, groupId);
    const [topics, committed] = await Promise.all([
      knownTopics(admin, resets),
      admin.groups.committed(groupId),
    ]);
    const planned = plannedReset(resets, topics, committed);
    if (!dryRun) await admin.groups.alterOffsets(groupId, planned);
    return context.json({ dryRun, partitions: [...planned] }, 200);
  });
}

async function refuseActive(groups: GroupAdmin, id: string): Promise<void> {
  const group = await groups.find(id);
  if (group === undefined || inactive.has(group.state)) return;
  const detail = `group ${id} is ${group.state}: its offsets are reset when it has no members`;
  throw new ProblemError("group-not-empty", detail, { code: "NON_EMPTY_GROUP" });
}
