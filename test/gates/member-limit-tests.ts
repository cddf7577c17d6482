import { type LimitTest, met } from "./limit-test.ts";

const cluster = "broker-fargate/src/cluster";

/** The part of the table for what members of a cluster wait for and remember. */
export const memberLimitTests: Readonly<Record<string, LimitTest>> = {
  recentDeletionMs: met(
    "the name is made without a wait",
    `${cluster}/recent-deletions.test.ts`,
    "remembers deleted names until every live broker knows of it",
  ),
  recentDeletionsMax: met(
    "the oldest names are made without a wait",
    `${cluster}/recent-deletions.test.ts`,
    "forgets the oldest of very many deleted names",
  ),
  confirmedMissesMax: met(
    "the next miss is another read",
    `${cluster}/follower.test.ts`,
    "is forgotten with all others when there are too many of them",
  ),
  haveSeenMsMax: met(
    "the name is made though a broker may not know of the deletion",
    `${cluster}/membership.test.ts`,
    "stop waiting for one that does not see a change",
  ),
  firstSpreadMs: met(
    "slots are given to who is there",
    `${cluster}/membership.test.ts`,
    "share a new cluster's slots evenly, a moment after they start together",
  ),
  startLooksForMs: met(
    "it looks as seldom as who is alone",
    `${cluster}/membership.test.ts`,
    "looks often for a moment after its start, and then as seldom as who is alone",
  ),
  storeRetryMsMin: {
    tuning: "the first pause before a failed call is made again; nothing is refused at it",
  },
  storeRetryMsMax: met(
    "pauses grow no longer",
    `${cluster}/rhythm.test.ts`,
    "pauses longer and longer while the store is away, to a bound, and says so once",
  ),
  followedTopicsInFlightMax: met(
    "the other topics wait",
    `${cluster}/follower.test.ts`,
    "reads no more than 16 topics at a time",
  ),
  moveLookMs: met(
    "the next look begins",
    `${cluster}/move-looks.test.ts`,
    "come quickly, and for a moment longer, and then as before",
  ),
  moveLooksForMs: met(
    "looks are as seldom as before",
    `${cluster}/move-looks.test.ts`,
    "come quickly, and for a moment longer, and then as before",
  ),
  receiverSeenMsMax: met(
    "slots are handed over all the same",
    "broker-fargate/src/takeover/quick-moves.test.ts",
    "is carried out though its receiver does not say that it has seen the wish",
  ),
  trafficWindowMs: met(
    "a burst is a small part of what is told",
    `${cluster}/slot-traffic.test.ts`,
    "makes little of a burst, and forgets it",
  ),
  loadQuietMs: met(
    "slots move by load",
    `${cluster}/load-spread.test.ts`,
    "wait until what is told is of the slots as they are led",
  ),
};
