import { z } from "@hono/zod-openapi";
import { asClusterId, type ClusterId } from "@millrace/core";
import type { ClusterRecord, ClusterState } from "../clusters/cluster-record.ts";
import { brokersMax, clusterNameCharactersMax } from "../clusters/limits.ts";
import { brokerSizes, limitConfigs } from "../clusters/cluster-rules.ts";
import { configValueCharactersMax } from "../limits.ts";
import { timestampSchema } from "./common.ts";

export interface Cluster {
  readonly id: string;
  readonly name: string;
  readonly state: ClusterState;
  readonly brokers: number;
  readonly brokerSize: { readonly cpu: number; readonly memoryMiB: number };
  readonly limits: Readonly<Record<string, string>>;
  readonly deletionProtection: boolean;
  readonly durability: "journal" | "local";
  readonly createdAt: string;
  readonly operation?: string | undefined;
  readonly version: number;
}

const cpus = brokerSizes.map(({ cpu }) => cpu);

const brokerSizeSchema = z
  .strictObject({
    cpu: z
      .int()
      .min(Math.min(...cpus))
      .max(Math.max(...cpus))
      .openapi({ description: `CPU units, 1,024 a vCPU: ${cpus.join(", ")}.` }),
    memoryMiB: z.int().min(512).max(30_720),
  })
  .openapi("BrokerSize", { description: "Of one broker, in the sizes of a Fargate task." });

const limitsSchema = z
  .partialRecord(
    z.enum(limitConfigs as [string, ...string[]]),
    z.string().max(configValueCharactersMax),
  )
  .openapi({
    additionalProperties: false,
    description: `Brokers' configs that bound something: ${limitConfigs.join(", ")}. An empty value takes one back to its default.`,
    example: { "max.connections": "1000" },
  });

const nameSchema = z
  .string()
  .min(1)
  .max(clusterNameCharactersMax)
  .regex(/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/)
  .openapi({
    description: "A DNS label, of which there is one in a deployment.",
    example: "orders",
  });

export const clusterSchema: z.ZodType<Cluster> = z
  .object({
    id: z.string().openapi({ example: "cl_01k2m3n4p5q6r7s8" }),
    name: z.string(),
    state: z.enum(["creating", "active", "updating", "deleting", "failed"]),
    brokers: z.int().min(1),
    brokerSize: brokerSizeSchema,
    limits: z.record(z.string(), z.string()),
    deletionProtection: z.boolean(),
    durability: z.enum(["journal", "local"]).openapi({
      description:
        "What acks=all means: `journal`, that it is in the durable store; `local`, on the broker's disk.",
    }),
    createdAt: timestampSchema,
    operation: z.string().optional().openapi({ description: "The operation that is under way." }),
    version: z.int().openapi({ description: "As in the `ETag`." }),
  })
  .openapi("Cluster");

export interface CreateCluster {
  readonly name: string;
  readonly brokers: number;
  readonly brokerSize: { readonly cpu: number; readonly memoryMiB: number };
  readonly limits: Partial<Record<string, string>>;
  readonly deletionProtection: boolean;
}

export const createClusterSchema: z.ZodType<CreateCluster> = z
  .strictObject({
    name: nameSchema,
    brokers: z.int().min(1).max(brokersMax).default(1),
    brokerSize: brokerSizeSchema.default({ cpu: 256, memoryMiB: 512 }),
    limits: limitsSchema.default({}),
    deletionProtection: z
      .boolean()
      .default(true)
      .openapi({ description: "Whether a deletion is refused." }),
  })
  .openapi("CreateCluster");

export interface ChangeCluster {
  readonly brokers?: number | undefined;
  readonly brokerSize?: { readonly cpu: number; readonly memoryMiB: number } | undefined;
  readonly limits?: Partial<Record<string, string>> | undefined;
  readonly deletionProtection?: boolean | undefined;
}

export const changeClusterSchema: z.ZodType<ChangeCluster> = z
  .strictObject({
    brokers: z.int().min(1).max(brokersMax).optional(),
    brokerSize: brokerSizeSchema.optional(),
    limits: limitsSchema.optional(),
    deletionProtection: z.boolean().optional(),
  })
  .openapi("ChangeCluster", { description: "What is absent stays as it is." });

export const clusterParamsSchema: z.ZodObject<{ clusterId: z.ZodType<ClusterId, string> }> =
  z.object({ clusterId: clusterIdSchema() });

export function clusterIdSchema(): z.ZodType<ClusterId, string> {
  return z
    .string()
    .transform((text, context): ClusterId => {
      const id = asClusterId(text);
      if (id !== undefined) return id;
      context.addIssue({ code: "custom", message: "not a cluster's id" });
      return z.NEVER;
    })
    .openapi({
      type: "string",
      param: { name: "clusterId", in: "path" },
      ...{ pattern: "^cl_[0-9a-hjkmnp-tv-z]{16}$", example: "cl_01k2m3n4p5q6r7s8" },
    });
}

export function shownCluster(record: ClusterRecord): Cluster {
  const { createdAtMs, deletionProtection, durability, id, name, operation, spec, state } = record;
  return {
    ...{ id, name, state, ...spec, deletionProtection, durability },
    createdAt: new Date(createdAtMs).toISOString(),
    ...(operation === undefined ? {} : { operation }),
    version: record.version,
  };
}
