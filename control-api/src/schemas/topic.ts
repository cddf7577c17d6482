import { z } from "@hono/zod-openapi";
import { configEntriesMax, configValueCharactersMax, topicPartitionsMax } from "../limits.ts";
import { clusterIdSchema } from "./cluster.ts";
import type { ClusterId } from "@millrace/core";

export interface TopicSummary {
  readonly name: string;
  readonly id: string;
  readonly partitions: number;
  readonly replicationFactor: number;
}

export interface Topic extends TopicSummary {
  readonly configs: Readonly<Record<string, string>>;
}

const summaryShape = {
  name: z.string().openapi({ example: "orders" }),
  id: z.string().openapi({ description: "Kafka's topic id (KIP-516)." }),
  partitions: z.int().min(0),
  replicationFactor: z.int().min(0),
} as const;

export const topicSummarySchema: z.ZodType<TopicSummary> = z
  .object(summaryShape)
  .openapi("TopicSummary");

export const topicSchema: z.ZodType<Topic> = z
  .object({
    ...summaryShape,
    configs: z
      .record(z.string(), z.string())
      .openapi({ description: "Those that were set for this topic." }),
  })
  .openapi("Topic");

/** Neither `.` nor `..` is a topic's name. */
const topicNamePattern = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/;

export const topicNameSchema: z.ZodString = z
  .string()
  .regex(topicNamePattern)
  .openapi({ example: "orders" });

export interface CreateTopic {
  readonly name: string;
  readonly partitions?: number | undefined;
  readonly replicationFactor?: number | undefined;
  readonly configs: Readonly<Record<string, string>>;
}

export const createTopicSchema: z.ZodType<CreateTopic> = z
  .strictObject({
    name: topicNameSchema,
    partitions: z
      .int()
      .min(1)
      .max(topicPartitionsMax)
      .optional()
      .openapi({ description: "Absent: the brokers' `num.partitions`." }),
    replicationFactor: z
      .int()
      .min(1)
      .max(32_767)
      .optional()
      .openapi({ description: "Absent: the brokers' `default.replication.factor`." }),
    configs: z
      .record(z.string(), z.string().max(configValueCharactersMax))
      .refine((configs) => Object.keys(configs).length <= configEntriesMax, {
        message: `there may be ${configEntriesMax} configs in a request`,
      })
      .default({})
      .openapi({
        description: "Kafka's topic configs.",
        maxProperties: configEntriesMax,
        example: { "retention.ms": "86400000" },
      }),
  })
  .openapi("CreateTopic");

export interface ChangeTopic {
  readonly partitions?: number | undefined;
  readonly configs?: Readonly<Record<string, string | null>> | undefined;
}

export const changeTopicSchema: z.ZodType<ChangeTopic> = z
  .strictObject({
    partitions: z
      .int()
      .min(1)
      .max(topicPartitionsMax)
      .optional()
      .openapi({ description: "More than now: keys may come to lie in other partitions." }),
    configs: z
      .record(z.string(), z.string().max(configValueCharactersMax).nullable())
      .refine((configs) => Object.keys(configs).length <= configEntriesMax, {
        message: `there may be ${configEntriesMax} configs in a request`,
      })
      .optional()
      .openapi({
        description: "`null` takes one back to its default; what is absent stays.",
        maxProperties: configEntriesMax,
      }),
  })
  .openapi("ChangeTopic");

export interface TopicConfig {
  readonly name: string;
  readonly value: string | null;
  readonly isDefault: boolean;
  readonly readOnly: boolean;
  readonly sensitive: boolean;
}

export const topicConfigsSchema: z.ZodType<{ readonly items: readonly TopicConfig[] }> = z
  .object({
    items: z.array(
      z
        .object({
          name: z.string(),
          value: z.string().nullable(),
          isDefault: z.boolean().openapi({ description: "True: not set for this topic." }),
          readOnly: z.boolean(),
          sensitive: z.boolean().openapi({ description: "True: its value is not shown." }),
        })
        .openapi("TopicConfig"),
    ),
  })
  .openapi("TopicConfigs");

export interface TopicPartition {
  readonly partition: number;
  readonly leader: number;
  readonly leaderEpoch: number;
  readonly replicas: readonly number[];
  readonly inSyncReplicas: readonly number[];
  readonly earliestOffset: number;
  readonly latestOffset: number;
}

export const topicPartitionSchema: z.ZodType<TopicPartition> = z
  .object({
    partition: z.int().min(0),
    leader: z.int().openapi({ description: "Node id; -1 where there is none." }),
    leaderEpoch: z.int(),
    replicas: z.array(z.int()),
    inSyncReplicas: z.array(z.int()),
    earliestOffset: z.int(),
    latestOffset: z.int().openapi({ description: "Of the next record." }),
  })
  .openapi("TopicPartition");

export const topicParamsSchema: z.ZodObject<{
  clusterId: z.ZodType<ClusterId, string>;
  topic: z.ZodString;
}> = z.object({
  clusterId: clusterIdSchema(),
  topic: z
    .string()
    .regex(topicNamePattern)
    .openapi({ param: { name: "topic", in: "path" }, example: "orders" }),
});
