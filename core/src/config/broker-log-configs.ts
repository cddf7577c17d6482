import {
  atLeast,
  between,
  type ConfigDefinition,
  cleanupPolicies,
  compressionTypes,
  durabilities,
  gzipLevels,
  key,
  lz4Levels,
  maxInt64,
  recordValidations,
  timestampTypes,
  zstdLevels,
} from "./definition.ts";

const noReplicaFetch = "Accepted as in Kafka; the store is the replica, so nothing is fetched.";
const noCleanerBuffers = "Accepted as in Kafka; compaction sizes its own buffers.";

/** The log: where it lies, what a topic gets unless it says otherwise, and replication. */
export const brokerLogConfigs: readonly ConfigDefinition[] = [
  key("list", "log.dir", "/tmp/kafka-logs").says(
    "The data directory, used when log.dirs is not set.",
  ),
  key("list", "log.dirs", null).says("The data directory; one, because objects are the replica."),
  key("list", "cordoned.log.dirs", "").says("Accepted as in Kafka; there is one data directory."),
  key("string", "millrace.durability", "local", durabilities)
    .dynamic("clusterWide")
    .says("What an acknowledged write has survived, unless its topic says otherwise."),
  key("string", "millrace.metadata.store", "").says(
    "The metadata store of a cluster of several brokers: unix:/absolute/socket or dynamodb://table; " +
      "empty: the broker is alone and has its own.",
  ),
  key("string", "millrace.metadata.store.endpoint", "").says(
    "The URL of a server that speaks DynamoDB, if it is not AWS's own.",
  ),
  key("string", "millrace.metadata.store.region", "").says(
    "The table's region; by default what the environment says.",
  ),
  key("string", "millrace.object.store", "").says(
    "Where tiered topics' logs go: file:/absolute/folder or s3://bucket/prefix; empty: nowhere.",
  ),
  key("string", "millrace.object.store.endpoint", "").says(
    "The URL of a server that speaks S3, if it is not AWS's own.",
  ),
  key("string", "millrace.object.store.region", "").says(
    "The bucket's region; by default what the environment says.",
  ),
  key("boolean", "millrace.object.store.path.style", false).says(
    "Whether the bucket's name stands in the URL's path instead of its host.",
  ),
  key("boolean", "remote.log.storage.system.enable", false).says(
    "Whether topics are tiered unless they say otherwise; true where millrace.object.store is set.",
  ),
  key("string", "millrace.record.validation", "full", recordValidations)
    .dynamic("clusterWide")
    .says("Whether compressed records are opened and checked, unless their topic says otherwise."),
  key("int", "message.max.bytes", 1_048_588, atLeast(0))
    .dynamic("clusterWide")
    .says("The largest record batch, compressed, unless its topic says otherwise."),
  key("string", "compression.type", "producer", compressionTypes)
    .dynamic("clusterWide")
    .says("How stored batches are compressed; `producer` keeps what was sent."),
  key("int", "compression.gzip.level", -1, gzipLevels)
    .dynamic("clusterWide")
    .says("The level of gzip where the broker compresses."),
  key("int", "compression.lz4.level", 9, lz4Levels)
    .dynamic("clusterWide")
    .says("The level of lz4 where the broker compresses."),
  key("int", "compression.zstd.level", 3, zstdLevels)
    .dynamic("clusterWide")
    .says("The level of zstd where the broker compresses."),
  key("int", "min.insync.replicas", 1, atLeast(1))
    .dynamic("clusterWide")
    .says(
      "Accepted as in Kafka; what is acknowledged is in the durable store, whatever the replicas.",
    ),
  key("boolean", "unclean.leader.election.enable", false)
    .dynamic("clusterWide")
    .says("Accepted as in Kafka; every replica serves the same stored log."),
  key("int", "log.segment.bytes", 1_073_741_824, atLeast(1_048_576))
    .dynamic("clusterWide")
    .says("The size at which a segment is closed."),
  key("long", "log.roll.ms", null)
    .dynamic("clusterWide")
    .says("The age at which a segment is closed; unset, log.roll.hours counts."),
  key("int", "log.roll.hours", 168, atLeast(1)).says(
    "The age in hours at which a segment is closed.",
  ),
  key("long", "log.roll.jitter.ms", null)
    .dynamic("clusterWide")
    .says("How much earlier, at random, a segment may close; unset, log.roll.jitter.hours counts."),
  key("int", "log.roll.jitter.hours", 0, atLeast(0)).says(
    "How many hours earlier, at random, a segment may close.",
  ),
  key("long", "log.retention.ms", null)
    .dynamic("clusterWide")
    .says("How long records are kept; unset, log.retention.minutes counts."),
  key("int", "log.retention.minutes", null).says(
    "How many minutes records are kept; unset, log.retention.hours counts.",
  ),
  key("int", "log.retention.hours", 168).says("How many hours records are kept."),
  key("long", "log.retention.bytes", -1)
    .dynamic("clusterWide")
    .says("How many bytes of a partition are kept; -1 means all."),
  key("long", "log.retention.check.interval.ms", 300_000, atLeast(1)).says(
    "How often segments are checked for retention.",
  ),
  key("list", "log.cleanup.policy", "delete", cleanupPolicies)
    .dynamic("clusterWide")
    .says("Whether old records are deleted, compacted by key, or both."),
  key("int", "log.index.size.max.bytes", 10_485_760, atLeast(4))
    .dynamic("clusterWide")
    .says("The largest index of a segment."),
  key("int", "log.index.interval.bytes", 4096, atLeast(0))
    .dynamic("clusterWide")
    .says("How many bytes of log lie between two entries of its index."),
  key("long", "log.flush.interval.messages", maxInt64, atLeast(1))
    .dynamic("clusterWide")
    .says("After how many records a partition is synced to disk."),
  key("long", "log.flush.interval.ms", null)
    .dynamic("clusterWide")
    .says("How long a record may stay unsynced; unset, log.flush.scheduler.interval.ms counts."),
  key("long", "log.flush.scheduler.interval.ms", maxInt64).says(
    "How often partitions are checked for records that are due to be synced.",
  ),
  key("int", "log.flush.offset.checkpoint.interval.ms", 60_000, atLeast(0)).says(
    "Accepted as in Kafka; recovery points are kept with the list of unsynced partitions.",
  ),
  key("int", "log.flush.start.offset.checkpoint.interval.ms", 60_000, atLeast(0)).says(
    "Accepted as in Kafka; a log's start is kept with its partition.",
  ),
  key("long", "log.segment.delete.delay.ms", 60_000, atLeast(0))
    .dynamic("clusterWide")
    .says("Accepted as in Kafka; no read holds a file, so deleted segments go at once."),
  key("boolean", "log.preallocate", false)
    .dynamic("clusterWide")
    .says("Accepted as in Kafka; a segment grows as it is written."),
  key("string", "log.message.timestamp.type", "CreateTime", timestampTypes)
    .dynamic("clusterWide")
    .says("Whether a record's time is its producer's or that of the append."),
  key("long", "log.message.timestamp.before.max.ms", maxInt64, atLeast(0))
    .dynamic("clusterWide")
    .says("How far a record's time may lie before the broker's."),
  key("long", "log.message.timestamp.after.max.ms", 3_600_000, atLeast(0))
    .dynamic("clusterWide")
    .says("How far a record's time may lie after the broker's."),
  key("long", "log.local.retention.ms", -2, atLeast(-2))
    .dynamic("clusterWide")
    .says("How long records stay on local disk; -2 means as long as they are kept at all."),
  key("long", "log.local.retention.bytes", -2, atLeast(-2))
    .dynamic("clusterWide")
    .says("How many bytes stay on local disk; -2 means as many as are kept at all."),
  key("boolean", "log.cleaner.enable", true).says("Whether compacted topics are compacted."),
  key("int", "log.cleaner.threads", 1, atLeast(0))
    .dynamic("clusterWide")
    .says("Accepted as in Kafka; one log is compacted at a time."),
  key("double", "log.cleaner.io.max.bytes.per.second", "1.7976931348623157E308")
    .dynamic("clusterWide")
    .says("The most bytes that compaction reads and writes in one second."),
  key("long", "log.cleaner.dedupe.buffer.size", 134_217_728)
    .dynamic("clusterWide")
    .says("The most memory for the keys of a log that is compacted; 24 bytes a key."),
  key("int", "log.cleaner.io.buffer.size", 524_288, atLeast(0))
    .dynamic("clusterWide")
    .says(noCleanerBuffers),
  key("double", "log.cleaner.io.buffer.load.factor", 0.9)
    .dynamic("clusterWide")
    .says(noCleanerBuffers),
  key("long", "log.cleaner.backoff.ms", 15_000, atLeast(0))
    .dynamic("clusterWide")
    .says("How long compaction rests when there is nothing to compact."),
  key("double", "log.cleaner.min.cleanable.ratio", 0.5, between(0, 1))
    .dynamic("clusterWide")
    .says("The share of a log that must be uncompacted before it is compacted."),
  key("long", "log.cleaner.delete.retention.ms", 86_400_000, atLeast(0))
    .dynamic("clusterWide")
    .says("How long a deletion marker stays in a compacted log."),
  key("long", "log.cleaner.min.compaction.lag.ms", 0, atLeast(0))
    .dynamic("clusterWide")
    .says("How long a record is safe from compaction."),
  key("long", "log.cleaner.max.compaction.lag.ms", maxInt64, atLeast(1))
    .dynamic("clusterWide")
    .says("How long a record may wait to be compacted."),
  key("int", "num.recovery.threads.per.data.dir", 2, atLeast(1))
    .dynamic("clusterWide")
    .says("Accepted as in Kafka; a partition is recovered when it is first used."),
  key("long", "log.dir.failure.timeout.ms", 30_000, atLeast(1)).says(
    "Accepted as in Kafka; there is one data directory.",
  ),
  key("long", "replica.lag.time.max.ms", 30_000).says(noReplicaFetch),
  key("int", "replica.socket.timeout.ms", 30_000).says(noReplicaFetch),
  key("int", "replica.socket.receive.buffer.bytes", 65_536).says(noReplicaFetch),
  key("int", "replica.fetch.max.bytes", 1_048_576, atLeast(0)).says(noReplicaFetch),
  key("int", "replica.fetch.wait.max.ms", 500).says(noReplicaFetch),
  key("int", "replica.fetch.backoff.ms", 1000, atLeast(0)).says(noReplicaFetch),
  key("int", "replica.fetch.min.bytes", 1).says(noReplicaFetch),
  key("int", "replica.fetch.response.max.bytes", 10_485_760, atLeast(0)).says(noReplicaFetch),
  key("int", "num.replica.fetchers", 1, atLeast(1)).dynamic("clusterWide").says(noReplicaFetch),
  key("int", "num.replica.alter.log.dirs.threads", null).says(noReplicaFetch),
  key("long", "replica.high.watermark.checkpoint.interval.ms", 5000).says(noReplicaFetch),
  key("string", "replica.selector.class", null).says("Accepted as in Kafka; no class is loaded."),
  key("int", "replication.quota.window.num", 11, atLeast(1)).says(noReplicaFetch),
  key("int", "replication.quota.window.size.seconds", 1, atLeast(1)).says(noReplicaFetch),
  key("boolean", "follower.fetch.last.tiered.offset.enable", false)
    .dynamic("clusterWide")
    .says(noReplicaFetch),
];
