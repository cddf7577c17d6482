import { assert } from "@millrace/core";

/** Pieces of a round in memory: one is worked on, one was read ahead, one is being written. */
export const piecesInFlight = 3;

/** Every bound of compaction. Reaching one is a named outcome. */
export interface CompactionLimits {
  /** Bytes of a log that are read at once, and worked on in one call; one batch may be more. */
  readonly pieceBytes: number;
  /** Keys' memory, whatever `log.cleaner.dedupe.buffer.size` says: one ArrayBuffer holds no more. */
  readonly mapBytesMax: number;
  /** Bytes that one request reads of a cold part: several pieces; one batch may be more. */
  readonly coldRequestBytes: number;
  /** Parts are made into one cold segment as long as their batches have no more bytes. */
  readonly coldSegmentBytesMax: number;
  /** Parts that one cold segment takes the place of: one transaction says so. */
  readonly coldGroupPartsMax: number;
  /** With fewer dirty bytes in cold parts no round begins that only the dirty ratio asks for. */
  readonly coldDirtyBytesMin: number;
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
  pieceBytes: 2 * 1024 * 1024,
  mapBytesMax: 2 ** 31,
  coldRequestBytes: 2 * 1024 * 1024,
  coldSegmentBytesMax: 16 * 1024 * 1024,
  coldGroupPartsMax: 64,
  coldDirtyBytesMin: 8 * 1024 * 1024,
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
