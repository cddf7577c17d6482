/**
 * What a soak with tiers writes, and how much of it may be where. Two kinds of topics: a few busy
 * partitions, which fill cold segments, and many that trickle, which are packed.
 */
import { tierLimits } from "../../broker-fargate/src/tier/limits.ts";

export type StoreKind = "files" | "s3";

export interface TierTopic {
  readonly topic: string;
  readonly partitionCount: number;
  readonly bytesPerSecond: number;
  readonly retentionBytes: number;
  readonly localRetentionBytes: number;
  readonly segmentBytes: number;
  readonly durability: "local" | "journal";
  readonly writers: number;
}

export interface TierPlan {
  readonly store: StoreKind;
  readonly minutes: number;
  readonly topics: readonly TierTopic[];
  /** Of who reads from the beginning, each topic's. */
  readonly scanBytesPerSecond: number;
  readonly sampleMs: number;
}

const mebibyte = 1024 * 1024;
/** The smallest that Kafka takes. */
const segmentBytesMin = mebibyte;
const segmentBytesBusy = 16 * mebibyte;
const busyPartitions = 8;
/** Of what a partition gets in all; so retention is at work for most of the run. */
const retainedShare = 0.25;
const localShare = 0.1;
/** `log.retention.check.interval.ms` of the soak. */
export const retentionCheckMs = 10_000;
/** From the record to its upload, and from there to the check that deletes: beyond the interval. */
const lateSeconds = 30;
/** Indexes, file ends that are rounded up to blocks, epochs, snapshots: for each segment. */
const besideSegmentBytes = 64 * 1024;
const sampleMsMax = 5_000;
const samplesMin = 60;

export function planOf(run: {
  readonly store: StoreKind;
  readonly minutes: number;
  readonly megabytesPerSecond: number;
  readonly partitions: number;
}): TierPlan {
  const { megabytesPerSecond, minutes, partitions, store } = run;
  const half = (megabytesPerSecond * 1e6) / 2;
  const topicOf = (topic: string, partitionCount: number, writers: number): TierTopic => {
    const perPartition = (half * minutes * 60) / partitionCount;
    const localRetentionBytes = Math.round(perPartition * localShare);
    const segmentBytes = Math.round(
      Math.min(segmentBytesBusy, Math.max(segmentBytesMin, localRetentionBytes / 4)),
    );
    const retentionBytes = Math.round(perPartition * retainedShare);
    const sizes = { retentionBytes, localRetentionBytes, segmentBytes };
    const durability = topic === "busy" ? "journal" : "local";
    return { topic, partitionCount, bytesPerSecond: half, durability, writers, ...sizes };
  };
  return {
    store,
    minutes,
    topics: [
      topicOf("trickling", partitions - busyPartitions, 2),
      topicOf("busy", busyPartitions, 1),
    ],
    scanBytesPerSecond: half,
    sampleMs: Math.min(sampleMsMax, (minutes * 60_000) / samplesMin),
  };
}

export function topicConfigs(topic: TierTopic): Readonly<Record<string, string>> {
  return {
    "retention.bytes": String(topic.retentionBytes),
    "local.retention.bytes": String(topic.localRetentionBytes),
    "segment.bytes": String(topic.segmentBytes),
    "millrace.durability": topic.durability,
  };
}

/**
 * Local logs: of each partition `local.retention.bytes`, the segment that would go next and the
 * active one; and what was written since a check, or is not uploaded yet.
 */
export function localBytesMax({ topics }: TierPlan): number {
  const kept = sum(
    topics.map(
      ({ localRetentionBytes, partitionCount, segmentBytes }) =>
        partitionCount * (localRetentionBytes + 2 * (segmentBytes + besideSegmentBytes)),
    ),
  );
  const { checkpointDueBytes, leftTailBytesMax } = tierLimits;
  return kept + writtenWithin(topics) + 2 * checkpointDueBytes + leftTailBytesMax;
}

/**
 * Objects: of each partition `retention.bytes` and the part that would go next; what was written
 * since a check; and packs, where superseded images may take as much again as those that count, of
 * which a partition has less than a cold segment. A round stores before it deletes: all tails that
 * were left, what came since, and a checkpoint's worth of what it moves.
 */
export function objectBytesMax({ topics }: TierPlan): number {
  const { checkpointBytesMax, checkpointDueBytes, leftTailBytesMax } = tierLimits;
  const { coldSegmentBytesMax, coldSegmentBytesMin } = tierLimits;
  const kept = sum(
    topics.map(({ partitionCount, retentionBytes }) => {
      const next = Math.min(coldSegmentBytesMax, retentionBytes);
      const superseded = Math.min(coldSegmentBytesMin, retentionBytes);
      return partitionCount * (retentionBytes + next + superseded);
    }),
  );
  const stored = leftTailBytesMax + 2 * checkpointDueBytes + checkpointBytesMax;
  return kept + writtenWithin(topics) + stored;
}

function writtenWithin(topics: readonly TierTopic[]): number {
  const seconds = retentionCheckMs / 1000 + lateSeconds;
  return seconds * sum(topics.map(({ bytesPerSecond }) => bytesPerSecond));
}

export function writtenBytes({ minutes, topics }: TierPlan): number {
  return minutes * 60 * sum(topics.map(({ bytesPerSecond }) => bytesPerSecond));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
