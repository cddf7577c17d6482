import { assert } from "@millrace/core";

/** Every bound of compaction. Reaching one is a named outcome. */
export interface CompactionLimits {
  /** Bytes of a log that are read at once, and worked on in one call; one batch may be more. */
  readonly pieceBytes: number;
  /** Keys' memory, whatever `log.cleaner.dedupe.buffer.size` says: one ArrayBuffer holds no more. */
  readonly mapBytesMax: number;
  /** From the start of the broker to the first look. */
  readonly firstLookMs: number;
  /** Between two looks at the folders of partitions that are not loaded. */
  readonly idleLookMs: number;
  /** Partitions that are looked at in one turn of the event loop. */
  readonly partitionsPerTurnMax: number;
  /** How long they are looked at before others have a turn. */
  readonly turnMsMax: number;
  /** How long the others have. */
  readonly turnPauseMs: number;
}

export const compactionLimits: CompactionLimits = checkedCompaction({
  pieceBytes: 512 * 1024,
  mapBytesMax: 2 ** 31,
  firstLookMs: 15_000,
  idleLookMs: 600_000,
  partitionsPerTurnMax: 500,
  turnMsMax: 2,
  turnPauseMs: 20,
});

export function checkedCompaction(limits: CompactionLimits): CompactionLimits {
  assert(limits.turnMsMax < limits.turnPauseMs, "others have most of the time");
  return limits;
}
