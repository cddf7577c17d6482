/** Which test meets which limit of `core/src/cluster/limits.ts`: see `limit-tests.ts`. */
import { type LimitTest, met } from "./limit-test.ts";

const cluster = "core/src/cluster";
const watch = `${cluster}/watch.test.ts`;

export const clusterLimitTests: Readonly<Record<string, LimitTest>> = {
  topicPartitionsMax: met(
    "limitReached: POLICY_VIOLATION",
    `${cluster}/topic-changes.test.ts`,
    "stops at the partitions and topics that a cluster may have",
  ),
  clusterPartitionsMax: met(
    "limitReached: POLICY_VIOLATION",
    `${cluster}/topic-changes.test.ts`,
    "stops at the partitions and topics that a cluster may have",
  ),
  clusterTopicsMax: met(
    "limitReached: POLICY_VIOLATION",
    `${cluster}/topic-changes.test.ts`,
    "stops at the partitions and topics that a cluster may have",
  ),
  configCharactersMax: met(
    "INVALID_CONFIG",
    `${cluster}/topic-changes.test.ts`,
    "have a bounded number of characters, all keys and values together",
  ),
  heartbeatMs: { tuning: "the rhythm in which members beat and watch" },
  aloneHeartbeatMs: { tuning: "the same of the only member" },
  readGapMsMax: met(
    "a new watch begins",
    watch,
    "counts what lies between reads up to a second apart, and no more",
  ),
  deadAfterMs: met(
    "dead: its slots are given to others",
    watch,
    "finds dead whose counter stood still for 2.5 s of successful reads, and nobody else",
  ),
  stillAfterMs: met(
    "counted among those that stand still at once",
    watch,
    "counts those among them that stopped up to a second later",
  ),
  massWaitMs: met(
    "dead, all of them",
    watch,
    "waits 5 s more of own reads and writes when most stand still at once",
  ),
  rankMs: met(
    "the next in line acts",
    watch,
    "is the controller at once, and the others one after another",
  ),
  joinedDeadAfterMs: met(
    "dead",
    watch,
    "gives one who was never seen to move the time of a broker that was alone",
  ),
  evidenceMsMax: met("NOT_COORDINATOR", watch, "ends 3 s after its last strong read began"),
  aloneEvidenceMsMax: met(
    "NOT_COORDINATOR",
    watch,
    "lasts longer for the only member, until a joiner could take over",
  ),
  moveMsMax: met(
    "the wish is taken back",
    "broker-fargate/src/cluster/membership.test.ts",
    "take back a wish that is not carried out in 10 s, and rest",
  ),
  moveSlotsMax: met(
    "the rest is wished for in a later round",
    `${cluster}/leadership.test.ts`,
    "asks each broker for 128 slots at a time at most, and never one that takes part already",
  ),
  rangedSlotsMax: met(
    "the level of millrace.version is not lowered",
    `${cluster}/features.test.ts`,
    "does not lower below what several brokers have written of very many slots",
  ),
  changedKeysMax: met(
    "followers read everything again",
    "core/src/cluster/version-item.test.ts",
    "a step of the version item that changes very much names nothing",
  ),
  hotSlotsMax: met(
    "the hottest are told",
    `${cluster}/journal-item.test.ts`,
    "is read as it was written, with its hottest slots",
  ),
};
