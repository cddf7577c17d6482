/**
 * Which test shows the effect of which topic key on a partition in use. Every key that is not merely
 * accepted has a line. `configuration.test.ts` reads this table and the tests.
 */

export interface EffectTest {
  readonly file: string;
  /** Of the test, as it stands in the file. */
  readonly title: string;
}

const live = (title: string): EffectTest => {
  return { file: "broker-fargate/src/handlers/topic-configs-live.test.ts", title };
};
const timeBounds = live(
  "message.timestamp.before.max.ms and after.max.ms bound the records' times",
);
const retention: EffectTest = {
  file: "broker-fargate/src/retention/retention.test.ts",
  title: "follow a change of retention at the next check",
};

const compaction = (title: string): EffectTest => {
  return { file: "broker-fargate/src/handlers/compaction-configs-live.test.ts", title };
};

export const configEffects: Readonly<Record<string, EffectTest>> = {
  "cleanup.policy": live("cleanup.policy=compact takes no records without a key any more"),
  "compression.gzip.level": live("compression.gzip.level sets what gzip makes of the next batches"),
  "compression.lz4.level": live("compression.lz4.level sets what lz4 makes of the next batches"),
  "compression.type": live("compression.type sets how batches are stored"),
  "compression.zstd.level": live("compression.zstd.level sets what zstd makes of the next batches"),
  "delete.retention.ms": compaction(
    "delete.retention.ms says for how long the tombstones stay that are compacted from then on",
  ),
  "flush.messages": live("flush.messages syncs before the reply that reaches it"),
  "flush.ms": live("flush.ms syncs what is as old"),
  "index.interval.bytes": live("index.interval.bytes sets how closely the index is woven"),
  "local.retention.bytes": {
    file: "broker-fargate/src/retention/tiered.test.ts",
    title: "local.retention.bytes does the same by size, down to an empty segment",
  },
  "local.retention.ms": {
    file: "broker-fargate/src/retention/tiered.test.ts",
    title: "local.retention.ms drops hot copies of what is tiered, and nothing of the log",
  },
  "max.compaction.lag.ms": compaction(
    "max.compaction.lag.ms has records compacted that are older, however little is dirty",
  ),
  "max.message.bytes": live("max.message.bytes refuses larger batches"),
  "message.timestamp.after.max.ms": timeBounds,
  "message.timestamp.before.max.ms": timeBounds,
  "message.timestamp.type": live("message.timestamp.type gives records the time of their append"),
  "millrace.durability": {
    file: "broker-fargate/src/partition/barrier.test.ts",
    title: "to journal makes everything below durable before any reply makes the new promise",
  },
  "millrace.record.validation": live(
    "millrace.record.validation says whether compressed records are opened",
  ),
  "min.cleanable.dirty.ratio": compaction(
    "min.cleanable.dirty.ratio says how much of a log has to be dirty before it is compacted",
  ),
  "min.compaction.lag.ms": compaction(
    "min.compaction.lag.ms keeps records that are younger from compaction",
  ),
  "remote.log.copy.disable": {
    file: "broker-fargate/src/retention/tiered.test.ts",
    title: "remote.log.copy.disable keeps what comes on the disk alone, until it is copied again",
  },
  "remote.log.delete.on.disable": {
    file: "broker-fargate/src/tier/turned-off.test.ts",
    title: "starts where its hot log does, and its objects go",
  },
  "remote.storage.enable": {
    file: "broker-fargate/src/tier/tier-lives.test.ts",
    title: "takes nothing from a partition that is not tiered any more",
  },
  "retention.bytes": retention,
  "retention.ms": retention,
  "segment.bytes": live("segment.bytes closes the segment that is too large for it"),
  "segment.index.bytes": live("segment.index.bytes closes the segment whose index is full"),
  "segment.jitter.ms": live("segment.jitter.ms closes it earlier"),
  "segment.ms": live("segment.ms closes the segment that is too old for it, at the next append"),
};
