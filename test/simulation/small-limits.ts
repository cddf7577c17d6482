import {
  checkedCompaction,
  compactionLimits,
  type CompactionLimits,
} from "../../broker-fargate/src/compaction/limits.ts";
import {
  checked as checkedJournal,
  type JournalLimits,
  journalLimits,
} from "../../broker-fargate/src/journal/limits.ts";
import {
  checked,
  type PartitionLimits,
  partitionLimits,
} from "../../broker-fargate/src/partition/limits.ts";
import {
  checked as checkedTier,
  type TierLimits,
  tierLimits,
} from "../../broker-fargate/src/tier/limits.ts";

const kibibyte = 1024;

/** Small, so that files roll, fill, and are trimmed within a short run. */
export const smallLimits: PartitionLimits = checked({
  ...partitionLimits,
  journalFileBytes: 64 * kibibyte,
  journalObjectBytes: 16 * kibibyte,
  journalBytesMax: 512 * kibibyte,
  journalPendingBytesMax: 128 * kibibyte,
  journalTrimBytes: 96 * kibibyte,
  journalTrimAgeMs: 4_000,
  appendWaitMsMax: 3_000,
  appendWaitBytesMax: 64 * kibibyte,
  turnCompressedBytesMax: 256,
  turnOpenedBytesMax: 512,
  turnReencodedBytesMax: 128,
  reencodingsMax: 2,
  diskRetryMs: 200,
  idleSyncMs: 1_500,
  dirtySyncMs: 5_000,
  replayLogsMax: 2,
});

/** Of a journal in the object store: so small that groups fill, wait, and push back. */
export const smallJournalLimits: JournalLimits = checkedJournal({
  ...journalLimits,
  objectBytes: 2 * kibibyte,
  putsInFlightMax: 4,
  journalBytesMax: 128 * kibibyte,
  trimDueBytes: 48 * kibibyte,
  pendingBytesMax: 32 * kibibyte,
  delayedMs: 3_000,
  putPauseMs: 200,
  deletedPerCallMax: 3,
  deletePauseMs: 500,
  probesInFlightMax: 3,
  readsInFlightMax: 2,
  objectsAheadMax: 4,
  firstReadBytes: 4 * kibibyte,
});

/** So small that a tail of some batches is several cold segments, and a chunk holds one or two. */
export const smallTierLimits: TierLimits = checkedTier({
  ...tierLimits,
  coldSegmentBytesMin: 1_200,
  coldSegmentBytesMax: 2_600,
  segmentsPerCommitMax: 3,
  checkpointBytesMax: 3_000,
  checkpointDueBytes: 5_000,
  leftTailBytesMax: 10_000,
  leftJournalBytesMax: 10_000,
  hurriedJournalBytesMin: 30_000,
  checkpointDueMs: 2_000,
  checkpointRetryMs: 300,
  checkpointsMax: 4,
  chunkBytes: 256,
  cachedBytesMax: 8_192,
  readsInFlightMax: 6,
  readAheadChunksMax: 8,
  cachedIndexesMax: 6,
  readCursorsMax: 4,
  firstSweepMs: 3_000,
  sweepEveryMs: 15_000,
  asideReadBytesMin: 200,
});

/** So small that a segment is several pieces, and a log takes several rounds. */
export const smallCompactionLimits: CompactionLimits = checkedCompaction({
  ...compactionLimits,
  pieceBytes: 700,
  // As many keys as one batch may have, and some more.
  mapBytesMax: 24 * 22,
  coldRequestBytes: 600,
  coldSegmentBytesMax: 2_600,
  coldGroupPartsMax: 4,
  coldDirtyBytesMin: 1,
  firstLookMs: 300,
  idleLookMs: 4_000,
});
