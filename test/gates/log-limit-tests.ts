/** Which test meets which limit of `core/src/log/limits.ts`: see `limit-tests.ts`. */
import { type LimitTest, met } from "./limit-test.ts";

export const logLimitTests: Readonly<Record<string, LimitTest>> = {
  segmentSpanMax: met(
    "a new segment",
    "core/src/log/limits.test.ts",
    "a batch too far from its segment's first offset goes to a new segment",
  ),
  readCursorsMax: met(
    "the least recent place is looked up again",
    "core/src/log/limits.test.ts",
    "more readers than are remembered each get every batch once, in order",
  ),
  producerSnapshotsMax: met(
    "older ones are deleted",
    "core/src/log/limits.test.ts",
    "of the producers' snapshots those are kept where segments begin, and the newest others",
  ),
  producersMax: met(
    "the least recent producer is forgotten",
    "core/src/producer/producer-state.test.ts",
    "of the least recent producer is forgotten when there are too many",
  ),
  recordExpansionMax: met(
    "refused for its size",
    "core/src/log/append-decision.test.ts",
    "is refused for its size when it would grow beyond measure",
  ),
  decompressedBytesFloor: met(
    "refused for its size",
    "core/src/log/append-decision.test.ts",
    "is refused for its size when it would grow beyond measure",
  ),
  decompressedBytesCeiling: met(
    "refused for its size",
    "core/src/log/append-decision.test.ts",
    "is refused for its size when it would grow beyond measure",
  ),
  recordErrorsMax: met(
    "the first hundred are named",
    "wire/src/record/validate-records.test.ts",
    "names a bounded number of records, however many are bad",
  ),
  indexEntriesPendingMax: met(
    "they are written before the next batch",
    "core/src/log/segment-index.test.ts",
    "holds a bounded number of entries in memory before they are due on the disk",
  ),
  cleanedSyncBytes: met(
    "it is synced before more is written",
    "core/src/log/cleaned-segment.test.ts",
    "a cleaned segment wants a sync whenever so much of it was written",
  ),
  scanWindowBytes: { tuning: "how much is read at once" },
  verifyWindowBytes: { tuning: "how much is read at once" },
  scanHeaderOnlyFromBytes: { tuning: "which of two ways to read headers is faster" },
};
