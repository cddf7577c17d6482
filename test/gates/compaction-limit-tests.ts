/** Which test meets which limit of compaction: see `limit-tests.ts`. */
import { type LimitTest, met } from "./limit-test.ts";

const file = "broker-fargate/src/compaction/log-cleaner.test.ts";
const cold = "broker-fargate/src/compaction/cold";

/** Of `core/src/compaction/limits.ts`. */
export const keyLimitTests: Readonly<Record<string, LimitTest>> = {
  keyMapLoadPercentMax: met(
    "full: the next round goes on there",
    "core/src/compaction/key-map.test.ts",
    "is full at its share of slots for a new key, and takes a known one nevertheless",
  ),
  abortedTransactionsMax: met(
    "the round ends below the first that is not known",
    "core/src/compaction/transactions.test.ts",
    "are known up to the first that there was no room for, or that nobody decided",
  ),
};

/** Of `broker-fargate/src/compaction/limits.ts`. */
export const compactionLimitTests: Readonly<Record<string, LimitTest>> = {
  pieceBytes: { tuning: "how much is read at once, and worked on in one call" },
  piecesInFlight: met(
    "further memory is let go",
    "broker-fargate/src/compaction/piece-buffers.test.ts",
    "pieces keep the memory of as many pieces as are in flight, and of whole pieces only",
  ),
  mapBytesMax: met("another round", file, "takes several rounds where the keys' memory is full"),
  coldRequestBytes: { tuning: "how much of a cold part is read at once" },
  coldSegmentBytesMax: met(
    "the next parts make another cold segment",
    `${cold}-cleaner.test.ts`,
    "has only the last value of each key after a round",
  ),
  coldGroupPartsMax: met(
    "the next parts make another cold segment",
    `${cold}-round.test.ts`,
    "puts a bounded number of parts together at once",
  ),
  coldDirtyBytesMin: met(
    "a round begins",
    `${cold}-cleaner.test.ts`,
    "is left alone while little of it is dirty, unless a record has waited for too long",
  ),
  firstLookMs: met(
    "the first look",
    file,
    "looks first some time after the start, and then by log.cleaner.backoff.ms",
  ),
  idleLookMs: met(
    "another look",
    file,
    "are loaded when a record has waited for max.compaction.lag.ms",
  ),
  partitionsPerTurnMax: met(
    "the rest is looked at in another turn",
    file,
    "looks at a bounded number of partitions in a turn, with a pause for others in between",
  ),
  turnMsMax: met("the rest is looked at in another turn", file, "ends a turn after some time, too"),
  turnPauseMs: met(
    "the rest is looked at after it",
    file,
    "looks at a bounded number of partitions in a turn, with a pause for others in between",
  ),
};
