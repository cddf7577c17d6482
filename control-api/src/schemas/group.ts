import { z } from "@hono/zod-openapi";
import type { ClusterId } from "@millrace/core";
import { clusterIdSchema } from "./cluster.ts";

export interface GroupSummary {
  readonly id: string;
  readonly state: string;
  readonly protocol: string;
}

const summaryShape = {
  id: z.string(),
  state: z.string().openapi({ description: "In Kafka's words.", example: "Stable" }),
  protocol: z.string().openapi({ description: "Which group protocol.", example: "classic" }),
} as const;

export const groupSummarySchema: z.ZodType<GroupSummary> = z
  .object(summaryShape)
  .openapi("GroupSummary");

export interface GroupLag {
  readonly total: number;
  readonly partitions: readonly {
    readonly topic: string;
    readonly partition: number;
    readonly committed: number;
    readonly end: number;
    readonly lag: number;
  }[];
}

export interface GroupMember {
  readonly memberId: string;
  readonly clientId: string;
  readonly host: string;
  readonly partitions: readonly { readonly topic: string; readonly partition: number }[];
}

export interface Group extends GroupSummary {
  readonly members: readonly GroupMember[];
  readonly lag: GroupLag;
}

export const groupSchema: z.ZodType<Group> = z
  .object({
    ...summaryShape,
    members: z.array(
      z
        .object({
          memberId: z.string(),
          clientId: z.string(),
          host: z.string(),
          partitions: z.array(z.object({ topic: z.string(), partition: z.int() })),
        })
        .openapi("GroupMember"),
    ),
    lag: z
      .object({
        total: z.int(),
        partitions: z.array(
          z.object({
            topic: z.string(),
            partition: z.int(),
            committed: z.int().openapi({ description: "-1: nothing is committed." }),
            end: z.int().openapi({ description: "The offset of the next record." }),
            lag: z.int().openapi({ description: "Records that are there and not yet processed." }),
          }),
        ),
      })
      .openapi("GroupLag"),
  })
  .openapi("Group");

export const groupParamsSchema: z.ZodObject<{
  clusterId: z.ZodType<ClusterId, string>;
  groupId: z.ZodString;
}> = z.object({
  clusterId: clusterIdSchema(),
  groupId: z
    .string()
    .min(1)
    .max(1_000)
    .openapi({ param: { name: "groupId", in: "path" }, example: "billing" }),
});
