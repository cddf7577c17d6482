/** Which test meets which limit of `broker-fargate/src/takeover/limits.ts`: see `limit-tests.ts`. */
import { type LimitTest, met } from "./limit-test.ts";

const takeover = "broker-fargate/src/takeover";

export const takeoverLimitTests: Readonly<Record<string, LimitTest>> = {
  headReadsInFlightMax: met(
    "the others are read next",
    `${takeover}/slot-heads.test.ts`,
    "reads a bounded number of heads at the same time, and the others after them",
  ),
  claimsAtOnceMax: met(
    "the other heads go into further transactions",
    `${takeover}/move.test.ts`,
    "of many slots is completed though the store fails in the middle of the release",
  ),
  takeoverRetryMs: { tuning: "the pause before slots are tried again" },
  adoptionsAtOnceMax: met(
    "the other slots are copied next",
    `${takeover}/lanes.test.ts`,
    "copies what former owners have of some slots at a time, and the others after them",
  ),
  copiesAtOnceMax: met(
    "the other partitions of a crowded slot are copied next",
    `${takeover}/lanes.test.ts`,
    "copies some partitions of a crowded slot at a time, and the others after them",
  ),
  adoptionRetryMs: met(
    "what was lost, and is found, is read",
    `${takeover}/sources.test.ts`,
    "keeps its partitions offline, says so, and holds up no other slot; found, it is served",
  ),
  moveRetryMs: met(
    "a move that was called off is begun again",
    `${takeover}/move.test.ts`,
    "that is called off lets appends go on, in order, and loses none",
  ),
  moveStoppedMsMax: met(
    "the move is called off",
    `${takeover}/move.test.ts`,
    "that is called off lets appends go on, in order, and loses none",
  ),
  memoryBytesMax: met(
    "further entries lie on the disk",
    `${takeover}/former-entries.test.ts`,
    "take no more memory together than they may: the rest lies on the disk, and reads the same",
  ),
  journalReadsAtOnceMax: met(
    "the other journals are read next",
    `${takeover}/former-entries.test.ts`,
    "are read two at a time, and one that hangs holds up no other",
  ),
  spillFileBytesMax: met(
    "what comes goes into another file",
    `${takeover}/former-entries.test.ts`,
    "take no more of the disk with every takeover while one slot can't be copied",
  ),
  memberCloseMsMax: met(
    "the process ends as if it had died",
    `${takeover}/stop-without-stores.test.ts`,
    "ends in time while %s, and loses nothing",
  ),
  drainMsMax: met(
    "the process stops; the others take its slots by force",
    `${takeover}/drain.test.ts`,
    "ends when its time is over, though the others have not taken the slots, who then take them by force",
  ),
  drainPollMs: { tuning: "how often it looks" },
};
