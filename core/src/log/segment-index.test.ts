import { MemoryDisk } from "@millrace/adapter-memory";
import { expect, test } from "vitest";
import {
  appendAll,
  crc32c,
  directory,
  openTestLog,
  smallSegments,
  testBatch,
} from "../../../test/fixtures/partition-log.ts";
import {
  indexHeaderBytes,
  type IndexPoint,
  offsetEntryBytes,
  timeEntryBytes,
} from "./index-entry.ts";
import { indexEntriesPendingMax } from "./limits.ts";
import { type IndexPlace, SegmentIndex } from "./segment-index.ts";

const name = `${directory}/${"100".padStart(20, "0")}`;

function place(): IndexPlace & { readonly disk: MemoryDisk } {
  const disk = new MemoryDisk();
  disk.makeDirectory(directory);
  return { disk, directory, baseOffset: 100, crc32c };
}

/** Points at offsets 110, 120, …, with the largest timestamp before each 11, 12, …. */
function point(i: number): IndexPoint {
  return {
    baseOffset: 110 + i * 10,
    position: 1000 * (i + 1),
    maxTimestampBefore: 11 + i,
    maxTimestampBatchOffset: i === 0 ? -1 : 105 + i,
  };
}

test("finds the same points in memory, on the disk and after a load", () => {
  const at = place();
  const index = SegmentIndex.empty(at);
  const check = (of: SegmentIndex): void => {
    expect(of.length).toBe(20);
    expect(of.floorByOffset(109)).toBe("none");
    expect(of.floorByTimestamp(11)).toBe("none");
    for (let i = 0; i < 20; i++) {
      expect(of.floorByOffset(110 + i * 10)).toEqual(point(i));
      expect(of.floorByOffset(119 + i * 10)).toEqual(point(i));
      expect(of.floorByTimestamp(12 + i)).toEqual(point(i));
    }
    expect(of.last()).toEqual(point(19));
  };
  for (let i = 0; i < 20; i++) {
    index.add(point(i));
    if (i === 12) index.flush();
  }
  check(index);
  index.flush();
  check(index);
  const loaded = SegmentIndex.load(at);
  if (loaded === "damaged") throw new Error("damaged");
  check(loaded);
});

test("drops the points at and after a position, and says that the cut is to be synced", async () => {
  for (const stored of [0, 5, 10]) {
    const at = place();
    const index = SegmentIndex.empty(at);
    for (let i = 0; i < 10; i++) {
      index.add(point(i));
      if (i === stored - 1) index.flush();
    }
    index.cutTo(4000);
    expect(index.length).toBe(3);
    expect(index.last()).toEqual(point(2));
    expect(index.needsSync).toBe(stored > 3);
    index.add(point(3));
    index.flush();
    await index.sync();
    expect(index.needsSync).toBe(false);
    if (stored <= 3) continue;
    for (const path of [`${name}.index`, `${name}.timeindex`]) {
      expect(at.disk.syncedTo(path)).toBe(at.disk.bytesOf(path).length);
    }
  }
});

test("is as long as the shorter of its files", () => {
  const at = place();
  const index = SegmentIndex.empty(at);
  for (let i = 0; i < 10; i++) index.add(point(i));
  index.flush();
  at.disk.cut(`${name}.timeindex`, indexHeaderBytes + 7 * timeEntryBytes + 3);
  const loaded = SegmentIndex.load(at);
  if (loaded === "damaged") throw new Error("damaged");
  expect(loaded.last()).toEqual(point(6));
  loaded.add(point(7));
  loaded.flush();
  expect(at.disk.bytesOf(`${name}.timeindex`).length).toBe(indexHeaderBytes + 8 * timeEntryBytes);
  expect(loaded.last()).toEqual(point(7));
});

test("notices damage in what it is asked for", () => {
  for (let bit = 0; bit < timeEntryBytes * 8; bit++) {
    const at = place();
    const index = SegmentIndex.empty(at);
    for (let i = 0; i < 3; i++) index.add(point(i));
    index.flush();
    at.disk.flipBit(`${name}.timeindex`, (indexHeaderBytes + timeEntryBytes) * 8 + bit);
    expect(index.floorByOffset(125)).toBe("damaged");
    expect(index.floorByTimestamp(13)).toBe("damaged");
  }
  const other = place();
  const index = SegmentIndex.empty(other);
  index.add(point(0));
  index.flush();
  for (let bit = 0; bit < indexHeaderBytes * 8; bit++) {
    other.disk.flipBit(`${name}.index`, bit);
    expect(SegmentIndex.load(other)).toBe("damaged");
    other.disk.flipBit(`${name}.index`, bit);
  }
  expect(SegmentIndex.load(other)).not.toBe("damaged");
  expect(SegmentIndex.load({ ...other, baseOffset: 101 })).toBe("damaged");
});

test("takes no time entry for that of another batch", () => {
  const at = place();
  const index = SegmentIndex.empty(at);
  for (let i = 0; i < 4; i++) index.add(point(i));
  index.flush();
  const times = at.disk.open(`${name}.timeindex`, { create: "never" });
  const second = new Uint8Array(timeEntryBytes);
  times?.read(indexHeaderBytes + timeEntryBytes, second);
  times?.write(indexHeaderBytes + 2 * timeEntryBytes, [second]);
  expect(index.floorByTimestamp(13)).toBe("damaged");
});

test("gets a point for each interval of log bytes, not for each batch", () => {
  const disk = new MemoryDisk();
  const config = { ...smallSegments, segmentBytes: 1e6, indexIntervalBytes: 1000 };
  const log = openTestLog(disk, { config });
  for (let i = 0; i < 200; i++) appendAll(log, [testBatch({ baseOffset: i })]);
  log.close();
  const path = `${directory}/${"0".repeat(20)}.index`;
  const points = (disk.bytesOf(path).length - indexHeaderBytes) / offsetEntryBytes;
  const expected = log.endOffset * testBatch({ baseOffset: 0 }).bytes.length;
  expect(points).toBeGreaterThan(expected / 1200);
  expect(points).toBeLessThan(expected / 1000);
});

test("holds a bounded number of entries in memory before they are due on the disk", () => {
  const at = place();
  const index = SegmentIndex.empty(at);
  const stored = (): number => {
    const file = at.disk.paths().find((path) => path.endsWith(".index"));
    if (file === undefined) return 0;
    return (at.disk.bytesOf(file).length - indexHeaderBytes) / offsetEntryBytes;
  };
  for (let i = 0; i < indexEntriesPendingMax; i++) {
    index.flushIfDue();
    expect(stored()).toBe(0);
    index.add(point(i));
  }
  index.flushIfDue();
  expect(stored()).toBe(indexEntriesPendingMax);
  index.close();
});
