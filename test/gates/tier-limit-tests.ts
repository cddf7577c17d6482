/** Which test meets which limit of `broker-fargate/src/tier/limits.ts`: see `limit-tests.ts`. */
import { type LimitTest, met } from "./limit-test.ts";

const tier = "broker-fargate/src/tier";

export const tierLimitTests: Readonly<Record<string, LimitTest>> = {
  coldSegmentBytesMin: met(
    "a cold segment instead of a packed part",
    "core/src/tier/plan-tail.test.ts",
    "becomes a cold segment from the least size on, whatever of it is packed",
  ),
  coldSegmentBytesMax: met(
    "the next batch begins another segment",
    `${tier}/checkpointer.test.ts`,
    "makes cold segments of a large tail, and what was packed of it is superseded",
  ),
  segmentsPerCommitMax: met(
    "a further transaction",
    `${tier}/checkpointer.test.ts`,
    "names a bounded number of segments in a transaction, the others in further ones",
  ),
  uploadsInFlightMax: met(
    "further partitions wait",
    `${tier}/checkpointer.test.ts`,
    "has a bounded number of uploads of segments under way",
  ),
  checkpointBytesMax: met(
    "the next checkpoint takes the rest",
    `${tier}/checkpointer.test.ts`,
    "writes checkpoints of a bounded size, as many as it takes",
  ),
  checkpointDueBytes: met(
    "a round begins",
    `${tier}/checkpointer.test.ts`,
    "begins a round at once when enough bytes have come together",
  ),
  checkpointDueMs: met(
    "a round begins",
    `${tier}/checkpointer.test.ts`,
    "begins a round when the oldest of what was appended is old enough",
  ),
  leftTailBytesMax: met(
    "the largest are packed, until half is left",
    `${tier}/checkpoint-rounds.test.ts`,
    "takes the largest of them once too much is left, and leaves half of what may be",
  ),
  leftJournalBytesMax: met(
    "the round takes all",
    `${tier}/dirty-tails.test.ts`,
    "are all taken once one that the journal keeps has kept too much of it",
  ),
  hurriedJournalBytesMin: met(
    "the round goes on without pauses",
    `${tier}/checkpoint-rounds.test.ts`,
    "goes on at full speed once the journal keeps much",
  ),
  checkpointRetryMs: met(
    "the next round begins",
    `${tier}/checkpointer.test.ts`,
    "tries again after a pause when the object store failed, and has lost nothing",
  ),
  checkpointsMax: met(
    "what the oldest one holds moves",
    `${tier}/checkpointer.test.ts`,
    "keeps a bounded number of checkpoints: what the oldest hold moves",
  ),
  chunkBytes: { tuning: "how reads of objects are cut up" },
  cachedBytesMax: met(
    "the least recently used chunks go",
    `${tier}/chunk-cache.test.ts`,
    "keeps a bounded number of bytes: the least recently used go",
  ),
  readsInFlightMax: met(
    "further reads wait, in order",
    `${tier}/chunk-cache.test.ts`,
    "has a bounded number of reads under way, the others wait in order",
  ),
  readAheadChunksMax: met(
    "no more is read ahead",
    `${tier}/cold-reads.test.ts`,
    "is read ahead of, over the ends of parts, and only so far",
  ),
  cachedIndexesMax: met(
    "the least recently used index is read again",
    `${tier}/cold-reads.test.ts`,
    "jumps about in more parts than have their index kept",
  ),
  cachedIndexBytesMax: met(
    "the least recently used ones are read again",
    `${tier}/image-tails.test.ts`,
    "are kept up to a limit of bytes: what they tell of producers may be much",
  ),
  cachedSectionsMax: met(
    "the oldest section is read again",
    `${tier}/former-checkpoints.test.ts`,
    "is kept for a bounded number of slots; of one more it is read again",
  ),
  checkpointEndBytes: met(
    "the rest is read when it is asked for",
    `${tier}/checkpoint-ends.test.ts`,
    "is read at once, and what lies in it takes no further read",
  ),
  checkpointEndsMax: met(
    "the oldest is read again",
    `${tier}/checkpoint-ends.test.ts`,
    "is kept of a bounded number of objects: the oldest is forgotten",
  ),
  firstSweepMs: met(
    "a sweep begins",
    `${tier}/janitor.test.ts`,
    "sweeps some time after a start, and then now and then",
  ),
  sweepEveryMs: met(
    "a sweep begins",
    `${tier}/janitor.test.ts`,
    "sweeps some time after a start, and then now and then",
  ),
  uploadReadBytesPerTurn: met(
    "the rest is read in another turn",
    `${tier}/tail-reader.test.ts`,
    "is read a part at a time, with turns for others between",
  ),
  asideReadBytesMin: met(
    "a thread reads it",
    `${tier}/checked-reads.test.ts`,
    "is read in a turn where it is small",
  ),
  uploadReadBytesPerSecondMin: met(
    "it reads no more slowly",
    `${tier}/upload-pace.test.ts`,
    "has a least",
  ),
  readCursorsMax: met(
    "the least recent place is looked up again",
    `${tier}/cold-reads.test.ts`,
    "is one of more than are remembered, and each gets every batch once, in order",
  ),
};
