import {
  atLeast,
  between,
  type ConfigDefinition,
  cleanupPolicies,
  compressionTypes,
  type Draft,
  durabilities,
  gzipLevels,
  key,
  lz4Levels,
  maxInt64,
  recordValidations,
  tableOf,
  timestampTypes,
  zstdLevels,
} from "./definition.ts";

/** A broker key that gives a topic's key its default. */
export interface BrokerSynonym {
  readonly name: string;
  /** How many of the topic's units one of the broker's is: hours to milliseconds, for instance. */
  readonly factor: number;
}

export interface TopicConfigDefinition extends ConfigDefinition {
  /** The strongest first: the first one that has a value counts. */
  readonly synonyms: readonly BrokerSynonym[];
  /** In Kafka no broker's key gives the default; tools are told none, as they are there. */
  readonly hidesSynonyms: boolean;
}

const minuteMs = 60_000;
const hourMs = 3_600_000;

interface TopicDraft {
  says(documentation: string): TopicConfigDefinition;
}

/** The topic's key takes its default from these broker keys, written `name` or `name*factor`. */
function from(start: Draft, ...brokerKeys: readonly string[]): TopicDraft {
  const synonyms = brokerKeys.map((text) => {
    const [name = "", factor = "1"] = text.split("*");
    return { name, factor: Number(factor) };
  });
  return {
    says: (documentation) => {
      const definition = start.dynamic("clusterWide").says(documentation);
      return { ...definition, synonyms, hidesSynonyms: false };
    },
  };
}

const throttled = { is: "throttledReplicas" } as const;
const noReplicaFetch = "Accepted as in Kafka; the store is the replica, so nothing is fetched.";

const definitions: readonly TopicConfigDefinition[] = [
  from(key("int", "segment.bytes", 1_073_741_824, atLeast(1_048_576)), "log.segment.bytes").says(
    "The size at which a segment is closed.",
  ),
  from(
    key("long", "segment.ms", 604_800_000, atLeast(1)),
    "log.roll.ms",
    `log.roll.hours*${hourMs}`,
  ).says("The age at which a segment is closed, even when it is small."),
  from(
    key("long", "segment.jitter.ms", 0, atLeast(0)),
    "log.roll.jitter.ms",
    `log.roll.jitter.hours*${hourMs}`,
  ).says("How much earlier, at random, a segment may close, so that not all close at once."),
  from(key("int", "segment.index.bytes", 10_485_760, atLeast(4)), "log.index.size.max.bytes").says(
    "The largest offset index of a segment; a full index closes the segment.",
  ),
  from(key("long", "flush.messages", maxInt64, atLeast(1)), "log.flush.interval.messages").says(
    "After how many records a partition is synced to disk.",
  ),
  from(
    key("long", "flush.ms", maxInt64, atLeast(0)),
    "log.flush.interval.ms",
    "log.flush.scheduler.interval.ms",
  ).says("How long a record may stay unsynced."),
  from(key("long", "retention.bytes", -1), "log.retention.bytes").says(
    "How many bytes of each partition are kept; -1 means all.",
  ),
  from(
    key("long", "retention.ms", 604_800_000, atLeast(-1)),
    "log.retention.ms",
    `log.retention.minutes*${minuteMs}`,
    `log.retention.hours*${hourMs}`,
  ).says("How long records are kept; -1 means for ever."),
  from(key("int", "max.message.bytes", 1_048_588, atLeast(0)), "message.max.bytes").says(
    "The largest record batch, compressed.",
  ),
  from(key("int", "index.interval.bytes", 4096, atLeast(0)), "log.index.interval.bytes").says(
    "How many bytes of log lie between two entries of its index.",
  ),
  from(
    key("long", "delete.retention.ms", 86_400_000, atLeast(0)),
    "log.cleaner.delete.retention.ms",
  ).says("How long a deletion marker stays in a compacted log."),
  from(
    key("long", "min.compaction.lag.ms", 0, atLeast(0)),
    "log.cleaner.min.compaction.lag.ms",
  ).says("How long a record is safe from compaction."),
  from(
    key("long", "max.compaction.lag.ms", maxInt64, atLeast(1)),
    "log.cleaner.max.compaction.lag.ms",
  ).says("How long a record may wait to be compacted."),
  from(key("long", "file.delete.delay.ms", 60_000, atLeast(0)), "log.segment.delete.delay.ms").says(
    "Accepted as in Kafka; no read holds a file, so deleted segments go at once.",
  ),
  from(
    key("double", "min.cleanable.dirty.ratio", 0.5, between(0, 1)),
    "log.cleaner.min.cleanable.ratio",
  ).says("The share of a log that must be uncompacted before it is compacted."),
  from(key("list", "cleanup.policy", "delete", cleanupPolicies), "log.cleanup.policy").says(
    "Whether old records are deleted, compacted by key, or both.",
  ),
  from(
    key("boolean", "unclean.leader.election.enable", false),
    "unclean.leader.election.enable",
  ).says("Accepted as in Kafka; every replica serves the same stored log."),
  from(key("int", "min.insync.replicas", 1, atLeast(1)), "min.insync.replicas").says(
    "Accepted as in Kafka; what is acknowledged is in the durable store, whatever the replicas.",
  ),
  from(key("string", "compression.type", "producer", compressionTypes), "compression.type").says(
    "How stored batches are compressed; `producer` keeps what was sent.",
  ),
  from(key("int", "compression.gzip.level", -1, gzipLevels), "compression.gzip.level").says(
    "The level of gzip where the broker compresses.",
  ),
  from(key("int", "compression.lz4.level", 9, lz4Levels), "compression.lz4.level").says(
    "The level of lz4 where the broker compresses.",
  ),
  from(key("int", "compression.zstd.level", 3, zstdLevels), "compression.zstd.level").says(
    "The level of zstd where the broker compresses.",
  ),
  from(key("boolean", "preallocate", false), "log.preallocate").says(
    "Accepted as in Kafka; a segment grows as it is written.",
  ),
  from(
    key("string", "message.timestamp.type", "CreateTime", timestampTypes),
    "log.message.timestamp.type",
  ).says("Whether a record's time is its producer's or that of the append."),
  from(
    key("long", "message.timestamp.before.max.ms", maxInt64, atLeast(0)),
    "log.message.timestamp.before.max.ms",
  ).says("How far a record's time may lie before the broker's."),
  from(
    key("long", "message.timestamp.after.max.ms", 3_600_000, atLeast(0)),
    "log.message.timestamp.after.max.ms",
  ).says("How far a record's time may lie after the broker's."),
  from(key("list", "leader.replication.throttled.replicas", "", throttled)).says(noReplicaFetch),
  from(key("list", "follower.replication.throttled.replicas", "", throttled)).says(noReplicaFetch),
  {
    ...from(
      key("boolean", "remote.storage.enable", false),
      "remote.log.storage.system.enable",
    ).says(
      "Whether the log goes into the object store, from which it is read when it is not local.",
    ),
    hidesSynonyms: true,
  },
  from(key("boolean", "remote.log.copy.disable", false)).says(
    "Whether nothing more goes into the object store; what is there is still read.",
  ),
  from(key("boolean", "remote.log.delete.on.disable", false)).says(
    "Whether what is in the object store is deleted where `remote.storage.enable` is false.",
  ),
  from(key("long", "local.retention.ms", -2, atLeast(-2)), "log.local.retention.ms").says(
    "How long records stay on local disk; -2 means as long as they are kept at all.",
  ),
  from(key("long", "local.retention.bytes", -2, atLeast(-2)), "log.local.retention.bytes").says(
    "How many bytes stay on local disk; -2 means as many as are kept at all.",
  ),
  from(key("string", "millrace.durability", "local", durabilities), "millrace.durability").says(
    "What an acknowledged write has survived.",
  ),
  from(
    key("string", "millrace.record.validation", "full", recordValidations),
    "millrace.record.validation",
  ).says("Whether compressed records are opened and checked, as uncompressed ones always are."),
];

/** Every topic key that Millrace knows, by name: all of Kafka's, and its own. */
export const topicConfigs: ReadonlyMap<string, TopicConfigDefinition> = tableOf(definitions);
