import { assert } from "@millrace/core";

/** Every bound of the checks for retention. Reaching one is a named outcome. */
export interface RetentionLimits {
  /** From the start of the broker to the first check, unless checks are to come sooner. */
  readonly firstCheckMs: number;
  /** To the next check where one found the disk full or the metadata away. */
  readonly retryMs: number;
  /** Partitions that are looked at in one turn of the event loop. */
  readonly partitionsPerTurnMax: number;
  /** How long they are looked at before others have a turn. */
  readonly turnMsMax: number;
  /** How long the others have: looking at files must never be all that a broker does. */
  readonly turnPauseMs: number;
}

export const retentionLimits: RetentionLimits = checkedRetention({
  firstCheckMs: 30_000,
  retryMs: 10_000,
  partitionsPerTurnMax: 1_000,
  turnMsMax: 2,
  turnPauseMs: 20,
});

export function checkedRetention(limits: RetentionLimits): RetentionLimits {
  assert(limits.turnMsMax < limits.turnPauseMs, "others have most of the time");
  return limits;
}
