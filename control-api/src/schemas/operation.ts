import { z } from "@hono/zod-openapi";
import {
  asOperationId,
  type OperationId,
  type OperationKind,
  type OperationRecord,
  type OperationState,
} from "../operations/operation-record.ts";
import { timestampSchema } from "./common.ts";

export interface Operation {
  readonly id: string;
  readonly clusterId: string;
  readonly kind: OperationKind;
  readonly state: OperationState;
  readonly step: string;
  readonly stepsDone: number;
  readonly stepsTotal: number;
  readonly startedAt: string;
  readonly finishedAt?: string | undefined;
  readonly error?:
    | { readonly code: string; readonly step: string; readonly detail: string }
    | undefined;
}

export const operationSchema: z.ZodType<Operation> = z
  .object({
    id: z.string().openapi({ example: "op_01k2m3n4p5q6r7s8" }),
    clusterId: z.string(),
    kind: z.enum(["createCluster", "updateCluster", "deleteCluster"]),
    state: z.enum(["pending", "running", "succeeded", "failed"]),
    step: z.string().openapi({ description: "What it is at.", example: "brokers" }),
    stepsDone: z.int().min(0),
    stepsTotal: z.int().min(0),
    startedAt: timestampSchema,
    finishedAt: timestampSchema.optional(),
    error: z
      .object({ code: z.string(), step: z.string(), detail: z.string() })
      .optional()
      .openapi({ description: "Why it failed." }),
  })
  .openapi("Operation", { description: "Long work on a cluster." });

export const operationParamsSchema: z.ZodObject<{ operationId: z.ZodType<OperationId, string> }> =
  z.object({
    operationId: z
      .string()
      .transform((text, context): OperationId => {
        const id = asOperationId(text);
        if (id !== undefined) return id;
        context.addIssue({ code: "custom", message: "not an operation's id" });
        return z.NEVER;
      })
      .openapi({
        type: "string",
        param: { name: "operationId", in: "path" },
        ...{ pattern: "^op_[0-9a-hjkmnp-tv-z]{16}$", example: "op_01k2m3n4p5q6r7s8" },
      }),
  });

export function shownOperation(record: OperationRecord): Operation {
  const { clusterId, fault, finishedAtMs, id, kind, startedAtMs, state, step } = record;
  const { stepsDone, stepsTotal } = record;
  return {
    ...{ id, clusterId, kind, state, step, stepsDone, stepsTotal },
    startedAt: new Date(startedAtMs).toISOString(),
    ...(finishedAtMs === undefined ? {} : { finishedAt: new Date(finishedAtMs).toISOString() }),
    ...(fault === undefined ? {} : { error: fault }),
  };
}
