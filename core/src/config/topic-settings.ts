import { assert } from "../assert.ts";
import { type BrokerLayers, topicConfig } from "./layers.ts";
import type { Durability } from "./settings.ts";
import { topicConfigs } from "./topic-configs.ts";
import type { ConfigValue } from "./value.ts";

/**
 * A topic's effective configuration, typed; made once per change, not per request. A number at
 * 2^53 - 1 means "never" or "no bound"; -1 and -2 mean what Kafka says of the key.
 */
export interface TopicSettings {
  readonly durability: Durability;
  readonly recordValidation: "structure" | "full";
  readonly segmentBytes: number;
  readonly segmentMs: number;
  readonly segmentJitterMs: number;
  readonly segmentIndexBytes: number;
  readonly indexIntervalBytes: number;
  readonly flushMessages: number;
  readonly flushMs: number;
  readonly preallocate: boolean;
  readonly retentionBytes: number;
  readonly retentionMs: number;
  readonly localRetentionBytes: number;
  readonly localRetentionMs: number;
  readonly fileDeleteDelayMs: number;
  readonly remoteStorageEnable: boolean;
  readonly remoteLogCopyDisable: boolean;
  readonly remoteLogDeleteOnDisable: boolean;
  readonly cleanupPolicy: { readonly compact: boolean; readonly delete: boolean };
  readonly deleteRetentionMs: number;
  readonly minCompactionLagMs: number;
  readonly maxCompactionLagMs: number;
  readonly minCleanableDirtyRatio: number;
  readonly maxMessageBytes: number;
  readonly minInsyncReplicas: number;
  readonly compressionType: CompressionType;
  readonly compressionGzipLevel: number;
  readonly compressionLz4Level: number;
  readonly compressionZstdLevel: number;
  readonly messageTimestampType: "CreateTime" | "LogAppendTime";
  readonly messageTimestampBeforeMaxMs: number;
  readonly messageTimestampAfterMaxMs: number;
}

export type CompressionType = "producer" | "uncompressed" | "gzip" | "snappy" | "lz4" | "zstd";

export function topicSettings(
  configs: ReadonlyMap<string, string>,
  layers: BrokerLayers,
): TopicSettings {
  const values = new Map<string, ConfigValue>();
  for (const [name, definition] of topicConfigs) {
    values.set(name, topicConfig(definition, configs, layers).value);
  }
  const number = (name: string): number => {
    const value = values.get(name);
    assert(typeof value === "number", `not a number: ${name}`);
    return value;
  };
  const policies = values.get("cleanup.policy");
  assert(Array.isArray(policies), "cleanup.policy is a list");
  return {
    durability: values.get("millrace.durability") === "journal" ? "journal" : "local",
    recordValidation:
      values.get("millrace.record.validation") === "structure" ? "structure" : "full",
    segmentBytes: number("segment.bytes"),
    segmentMs: number("segment.ms"),
    segmentJitterMs: number("segment.jitter.ms"),
    segmentIndexBytes: number("segment.index.bytes"),
    indexIntervalBytes: number("index.interval.bytes"),
    flushMessages: number("flush.messages"),
    flushMs: number("flush.ms"),
    preallocate: values.get("preallocate") === true,
    retentionBytes: number("retention.bytes"),
    retentionMs: number("retention.ms"),
    localRetentionBytes: number("local.retention.bytes"),
    localRetentionMs: number("local.retention.ms"),
    fileDeleteDelayMs: number("file.delete.delay.ms"),
    remoteStorageEnable: values.get("remote.storage.enable") === true,
    remoteLogCopyDisable: values.get("remote.log.copy.disable") === true,
    remoteLogDeleteOnDisable: values.get("remote.log.delete.on.disable") === true,
    cleanupPolicy: { compact: policies.includes("compact"), delete: policies.includes("delete") },
    deleteRetentionMs: number("delete.retention.ms"),
    minCompactionLagMs: number("min.compaction.lag.ms"),
    maxCompactionLagMs: number("max.compaction.lag.ms"),
    minCleanableDirtyRatio: number("min.cleanable.dirty.ratio"),
    maxMessageBytes: number("max.message.bytes"),
    minInsyncReplicas: number("min.insync.replicas"),
    compressionType: compressionType(values.get("compression.type")),
    compressionGzipLevel: number("compression.gzip.level"),
    compressionLz4Level: number("compression.lz4.level"),
    compressionZstdLevel: number("compression.zstd.level"),
    messageTimestampType:
      values.get("message.timestamp.type") === "LogAppendTime" ? "LogAppendTime" : "CreateTime",
    messageTimestampBeforeMaxMs: number("message.timestamp.before.max.ms"),
    messageTimestampAfterMaxMs: number("message.timestamp.after.max.ms"),
  };
}

function compressionType(value: ConfigValue | undefined): CompressionType {
  switch (value) {
    case "uncompressed":
    case "gzip":
    case "snappy":
    case "lz4":
    case "zstd":
      return value;
    default:
      return "producer";
  }
}
