/** Which test meets which limit of `broker-fargate/src/retention/limits.ts`: see `limit-tests.ts`. */
import { type LimitTest, met } from "./limit-test.ts";

const file = "broker-fargate/src/retention/retention.test.ts";

export const retentionLimitTests: Readonly<Record<string, LimitTest>> = {
  firstCheckMs: met(
    "the first check",
    file,
    "begin soon after the start, and come by log.retention.check.interval.ms",
  ),
  retryMs: met(
    "the next check",
    file,
    "one partition harms no other one, and the check comes again soon",
  ),
  partitionsPerTurnMax: met(
    "the rest is looked at in another turn",
    file,
    "look at a bounded number of partitions in a turn, with a pause for others in between",
  ),
  turnMsMax: met(
    "the rest is looked at in another turn",
    file,
    "end their turn after some time, too",
  ),
  turnPauseMs: met(
    "the rest is looked at after it",
    file,
    "look at a bounded number of partitions in a turn, with a pause for others in between",
  ),
};
