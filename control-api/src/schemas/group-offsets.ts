import { z } from "@hono/zod-openapi";
import { offsetResetsMax, resetPartitionsMax } from "../limits.ts";
import { topicNameSchema } from "./topic.ts";

/** As the SDK's `Position`, with times as text. */
export type ResetPosition =
  | "earliest"
  | "latest"
  | { readonly offset: number }
  | { readonly timestamp: string };

export interface OffsetReset {
  readonly topic: string;
  readonly partition?: number | undefined;
  readonly to: ResetPosition;
}

export interface ResetOffsets {
  readonly resets: readonly OffsetReset[];
  readonly dryRun: boolean;
}

const positionSchema: z.ZodType<ResetPosition> = z
  .union([
    z.enum(["earliest", "latest"]),
    z.strictObject({ offset: z.int().min(0).max(Number.MAX_SAFE_INTEGER) }),
    z.strictObject({ timestamp: z.iso.datetime({ offset: true }) }),
  ])
  .openapi("ResetPosition", {
    description:
      "The first record that there is, behind the last one, at an offset, or at the first record of a time or later. What lies outside of a partition goes to its nearer end.",
    example: "earliest",
  });

export const resetOffsetsSchema: z.ZodType<ResetOffsets> = z
  .strictObject({
    resets: z
      .array(
        z
          .strictObject({
            topic: topicNameSchema,
            partition: z
              .int()
              .min(0)
              .max(2_147_483_647)
              .optional()
              .openapi({ description: "Absent: every partition of the topic." }),
            to: positionSchema,
          })
          .openapi("OffsetReset"),
      )
      .min(1)
      .max(offsetResetsMax)
      .openapi({ description: "No partition may be named twice." }),
    dryRun: z
      .boolean()
      .default(false)
      .openapi({ description: "True: only says what would be committed." }),
  })
  .openapi("ResetOffsets");

export interface ResetPartition {
  readonly topic: string;
  readonly partition: number;
  readonly committed: number;
  readonly offset: number;
}

export interface OffsetsReset {
  readonly dryRun: boolean;
  readonly partitions: readonly ResetPartition[];
}

export const offsetsResetSchema: z.ZodType<OffsetsReset> = z
  .object({
    dryRun: z.boolean(),
    partitions: z
      .array(
        z.object({
          topic: z.string(),
          partition: z.int(),
          committed: z.int().openapi({ description: "What was: -1 where nothing was committed." }),
          offset: z.int().openapi({ description: "What is committed now, or would be." }),
        }),
      )
      .max(resetPartitionsMax)
      .openapi({ description: "By topic and partition." }),
  })
  .openapi("OffsetsReset");
