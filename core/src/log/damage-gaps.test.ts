import { buildBatch, crc32c } from "@millrace/wire";
import { MemoryDisk } from "@millrace/adapter-memory";
import { describe, expect, test } from "vitest";
import {
  appendAll,
  baseOffsetsIn,
  directory,
  openTestLog,
  smallSegments,
  testBatch,
} from "../../../test/fixtures/partition-log.ts";
import type { PartitionLog } from "./partition-log.ts";

const path = `${directory}/${"0".repeat(20)}.log`;
const config = { ...smallSegments, segmentBytes: 100_000, indexIntervalBytes: 0 };
/** What is left of the log; the object store has what lies below 40. */
const kept = [0, 10, 20, 30, 50, 60, 70];
const coldEnd = 40;

interface Damaged {
  readonly log: PartitionLog;
  readonly disk: MemoryDisk;
}

/** A log with gaps of which the batch at 20 has a wrong length. Its value is `value`. */
function damaged(value: Uint8Array = new Uint8Array(30)): Damaged {
  const disk = new MemoryDisk();
  disk.makeDirectory(directory);
  const file = disk.open(path, { create: "ifAbsent" });
  let at = 0;
  let damagedAt = 0;
  for (const baseOffset of kept) {
    const batch = buildBatch([{ key: null, value: baseOffset === 20 ? value : null }], {
      ...{ crc32c, baseOffset },
      partitionLeaderEpoch: 0,
    });
    if (baseOffset === 20) damagedAt = at;
    file?.write(at, [batch]);
    at += batch.length;
  }
  const log = openTestLog(disk, { config, coldEndOffset: coldEnd });
  disk.flipBit(path, (damagedAt + 9) * 8);
  return { disk, log };
}

function offsetsFrom(log: PartitionLog, start: number): readonly number[] {
  const offsets: number[] = [];
  for (let from = start; from < log.endOffset; ) {
    const read = log.read({ from, maxBytes: 1, upTo: log.endOffset, atLeastOneBatch: true });
    if (read.kind !== "ok" || read.records.length === 0) break;
    offsets.push(...baseOffsetsIn(read.records));
    from = read.nextOffset;
  }
  return offsets;
}

describe("a compacted segment that is given up to an offset that has no batch", () => {
  test("is read on from the batch that follows, from every offset", () => {
    const { log } = damaged();
    expect(log.giveUpDamaged(path, coldEnd)).toBe(coldEnd);
    for (let from = coldEnd; from <= 71; from++) {
      expect(offsetsFrom(log, from)).toEqual(kept.filter((each) => each >= from));
    }
    expect(log.bytesFrom(coldEnd)).toBe(log.bytesFrom(50));
    appendAll(log, [testBatch({ baseOffset: 71 })]);
    expect(offsetsFrom(log, coldEnd)).toEqual([50, 60, 70, 71]);
  });

  test("does not go on with what a value says in the place that is damaged", () => {
    const inner = buildBatch([{ key: null, value: null }], {
      ...{ crc32c, baseOffset: 45 },
      partitionLeaderEpoch: 0,
    });
    const { log } = damaged(inner);
    expect(log.giveUpDamaged(path, coldEnd)).toBe(coldEnd);
    expect(offsetsFrom(log, coldEnd)).toEqual([50, 60, 70]);
  });
});
