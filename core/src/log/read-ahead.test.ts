import { MemoryDisk } from "@millrace/adapter-memory";
import fc from "fast-check";
import { expect, it } from "vitest";
import {
  appendAll,
  batchFormat,
  crc32c,
  directory,
  openTestLog,
  testBatch,
} from "../../../test/fixtures/partition-log.ts";
import { DiskError } from "../ports/disk.ts";
import type { LogRead, ReadAhead, ReadRange } from "./log-reader.ts";
import type { PartitionLog } from "./partition-log.ts";
import { soundBytesOf } from "./sound-batches.ts";

const count = 24;

/** Segments of some batches each, of one offset each. */
function someLog(disk = new MemoryDisk()): PartitionLog {
  const log = openTestLog(disk);
  for (let baseOffset = 0; baseOffset < count; baseOffset += 1) {
    appendAll(log, [testBatch({ baseOffset, valueBytes: 10 + baseOffset })]);
  }
  return log;
}

/** What a thread would have read for the range. */
function readAhead(log: PartitionLog, range: ReadRange): ReadAhead | undefined {
  const place = log.placeOf(range);
  if (place === undefined) return undefined;
  const bytes = new Uint8Array(place.bytes);
  expect(place.file.read(place.position, bytes)).toBe(place.bytes);
  return { place, bytes, soundBytes: soundBytesOf({ format: batchFormat, crc32c }, bytes) };
}

function outcome(log: PartitionLog, range: ReadRange): unknown {
  try {
    const { ahead, ...read }: LogRead & { readonly ahead?: unknown } = log.read(range);
    expect(ahead === undefined || ahead === range.ahead).toBe(true);
    return read;
  } catch (error) {
    return error instanceof DiskError ? error.message : error;
  }
}

const checked = { upTo: count, atLeastOneBatch: true, checkedBelow: Number.POSITIVE_INFINITY };
const wholeLog: ReadRange = { ...checked, from: 0, maxBytes: 10_000 };

const anyRange = fc.record({
  from: fc.integer({ min: -1, max: count + 1 }),
  upTo: fc.integer({ min: 0, max: count }),
  maxBytes: fc.integer({ min: 1, max: 1_500 }),
  atLeastOneBatch: fc.boolean(),
  checkedBelow: fc.constantFrom(0, 7, Number.POSITIVE_INFINITY),
});

it("gives what a read without it gives, also of damaged files", () => {
  fc.assert(
    fc.property(anyRange, fc.array(fc.nat(6_000), { maxLength: 3 }), (range, flipped) => {
      const disk = new MemoryDisk();
      const log = someLog(disk);
      for (const at of flipped) flip(disk, at);
      const ahead = attempt(() => readAhead(log, range));
      const plain = outcome(log, range);
      expect(outcome(log, ahead === undefined ? range : { ...range, ahead })).toEqual(plain);
    }),
  );
});

it("is what the read gives, in the memory that it came in", () => {
  const log = someLog();
  const ahead = readAhead(log, wholeLog);
  const read = log.read({ ...wholeLog, ...(ahead && { ahead }) });
  expect(read.kind === "ok" && read.records[0]?.buffer).toBe(ahead?.bytes.buffer);
  expect(read).toHaveProperty("ahead", ahead);
});

it("is not used once positions are others: what lay there was cut, and other batches came", () => {
  const log = someLog();
  const range = { ...wholeLog, from: 20 };
  const ahead = readAhead(log, range);
  log.truncateTo(20);
  appendAll(log, [testBatch({ baseOffset: 20, valueBytes: 77, timestamps: [5, 6, 7] })]);
  const read = log.read({ ...range, upTo: 23, ...(ahead && { ahead }) });
  expect(read).toEqual(log.read({ ...range, upTo: 23 }));
  expect(read).toMatchObject({ kind: "ok", firstOffset: 20, nextOffset: 23 });
});

it("is believed about its CRCs no further than it says", () => {
  const disk = new MemoryDisk();
  const log = someLog(disk);
  const ahead = readAhead(log, wholeLog);
  if (ahead === undefined) throw new Error("nothing to read");
  const unknown: ReadAhead = { ...ahead, soundBytes: 0 };
  ahead.bytes.fill(7, 70, 71);
  expect(outcome(log, { ...wholeLog, ahead: unknown })).toMatch(/disk failed/);
});

function flip(disk: MemoryDisk, at: number): void {
  let left = at;
  for (const name of disk.list(directory).filter((each) => each.endsWith(".log"))) {
    const file = disk.open(`${directory}/${name}`, { create: "never" });
    const size = file?.size() ?? 0;
    if (left < size) {
      const byte = new Uint8Array(1);
      file?.read(left, byte);
      file?.write(left, [Uint8Array.of((byte[0] ?? 0) ^ 0x10)]);
      return;
    }
    left -= size;
  }
}

function attempt<Result>(run: () => Result): Result | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof DiskError) return undefined;
    throw error;
  }
}
