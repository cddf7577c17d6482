import { MemoryDisk, SeededRandom } from "@millrace/adapter-memory";
import { splitBatches } from "@millrace/wire";
import { describe, expect, test } from "vitest";
import { Death, MortalDisk } from "../../../test/fixtures/mortal-disk.ts";
import {
  appendAll,
  baseOffsetsIn,
  directory,
  openTestLog,
  smallSegments,
  testBatch,
} from "../../../test/fixtures/partition-log.ts";
import { DiskError, type Disk } from "../ports/disk.ts";
import type { CompactedSegment } from "./log-compaction.ts";
import type { PartitionLog } from "./partition-log.ts";
import { finishReplacements } from "./replacement.ts";

const config = { ...smallSegments, segmentBytes: 300, indexIntervalBytes: 100 };
const batches = 20;

/** Twenty batches of one record, three to a segment, all of it synced. Batch i has time 100·i. */
async function filled(disk: Disk): Promise<PartitionLog> {
  const log = openTestLog(disk, { config });
  for (let i = 0; i < batches; i++) {
    appendAll(log, [testBatch({ baseOffset: i, timestamps: [100 * i], partitionLeaderEpoch: 1 })]);
  }
  await log.sync();
  return log;
}

function offsetsIn(log: PartitionLog): readonly number[] {
  const offsets: number[] = [];
  for (let from = log.logStartOffset; from < log.endOffset; ) {
    const read = log.read({ from, maxBytes: 250, upTo: log.endOffset, atLeastOneBatch: true });
    if (read.kind !== "ok" || read.records.length === 0) break;
    offsets.push(...baseOffsetsIn(read.records));
    from = read.nextOffset;
  }
  return offsets;
}

function closedOf(log: PartitionLog): readonly CompactedSegment[] {
  return log.compaction.segments().slice(0, -1);
}

/** Makes one segment of the first three that has the batches at the offsets that `stays` takes. */
async function compact(
  log: PartitionLog,
  stays: (offset: number) => boolean = (offset) => offset % 2 === 1,
): Promise<"replaced" | "gone"> {
  const group = closedOf(log).slice(0, 3);
  const [first, last] = [group[0], group.at(-1)];
  if (first === undefined || last === undefined) throw new Error("no closed segments");
  const { baseOffset } = first;
  const cleaned = log.compaction.begin({ baseOffset, endOffset: last.endOffset });
  for (const segment of group) {
    for (let position = 0; ; ) {
      const at = { baseOffset: segment.baseOffset, position, into: new Uint8Array(200) };
      const piece = log.compaction.read(at);
      if (piece === undefined) break;
      position += piece.length;
      const batches = eachBatch(piece).filter((batch) => stays(baseOffsetsIn([batch])[0] ?? -1));
      if (batches.length > 0) cleaned.append(batches);
    }
  }
  return log.compaction.replace(cleaned);
}

function eachBatch(piece: Uint8Array): readonly Uint8Array[] {
  const { starts } = splitBatches(piece);
  return starts.map((start, i) => piece.subarray(start, starts[i + 1]));
}

const all = Array.from({ length: batches }, (_, i) => i);

/** What is left after `compact`: `end` is where the fourth segment begins. */
function compacted(end: number): readonly number[] {
  return all.filter((offset) => offset >= end || offset % 2 === 1);
}

describe("a cleaned segment", () => {
  test("takes the place of its group, for readers at every offset", async () => {
    const disk = new MemoryDisk();
    const log = await filled(disk);
    const end = closedOf(log)[3]?.baseOffset ?? -1;
    expect(await compact(log)).toBe("replaced");
    expect(offsetsIn(log)).toEqual(compacted(end));
    expect(closedOf(log)[0]).toMatchObject({ baseOffset: 0, endOffset: end });
    for (const from of all) {
      const range = { from, maxBytes: 1, upTo: log.endOffset, atLeastOneBatch: true };
      const read = log.read(range);
      const next = compacted(end).find((offset) => offset >= from);
      expect(read).toMatchObject({ kind: "ok", firstOffset: next });
    }
    expect([log.logStartOffset, log.endOffset]).toEqual([0, batches]);
    const names = disk.list(directory).filter((name) => /cleaned|swap/.test(name));
    expect(names).toEqual([]);
  });

  test("is found by time, and has the largest time of what it kept", async () => {
    const log = await filled(new MemoryDisk());
    await compact(log);
    const find = (timestamp: number): number | undefined =>
      log.findByTimestamp({ timestamp, upTo: log.endOffset })?.offset;
    expect([find(0), find(100), find(101), find(400)]).toEqual([1, 1, 3, 5]);
    expect(log.maxTimestamp(log.endOffset)?.offset).toBe(batches - 1);
  });

  test("leaves the log as it is for a life to come, with or without its indexes", async () => {
    for (const indexes of ["kept", "lost"]) {
      const disk = new MemoryDisk();
      const log = await filled(disk);
      const end = closedOf(log)[3]?.baseOffset ?? -1;
      await compact(log);
      log.close();
      const lost = disk.list(directory).filter((name) => name.endsWith("index"));
      if (indexes === "lost") for (const name of lost) disk.remove(`${directory}/${name}`);
      const after = openTestLog(disk, { config });
      expect(offsetsIn(after)).toEqual(compacted(end));
      appendAll(after, [testBatch({ baseOffset: batches })]);
      expect(offsetsIn(after).at(-1)).toBe(batches);
    }
  });

  test("may be empty, and keeps the log's start", async () => {
    const disk = new MemoryDisk();
    const log = await filled(disk);
    const end = closedOf(log)[3]?.baseOffset ?? -1;
    expect(await compact(log, () => false)).toBe("replaced");
    const left = all.filter((offset) => offset >= end);
    expect([offsetsIn(log), log.logStartOffset]).toEqual([left, 0]);
    log.close();
    const after = openTestLog(disk, { config });
    expect([offsetsIn(after), after.logStartOffset]).toEqual([left, 0]);
    expect(after.findByTimestamp({ timestamp: 0, upTo: batches })?.offset).toBe(end);
    expect(closedOf(after)[0]?.sizeBytes).toBe(0);
  });

  test("is not put in place of segments that were deleted meanwhile", async () => {
    const disk = new MemoryDisk();
    const log = await filled(disk);
    const start = closedOf(log)[1]?.baseOffset ?? -1;
    const compacting = compact(log);
    log.advanceStartOffset(start);
    expect(await compacting).toBe("gone");
    expect(offsetsIn(log)).toEqual(all.filter((offset) => offset >= start));
    expect(disk.list(directory).filter((name) => /cleaned|swap/.test(name))).toEqual([]);
  });

  test("goes with the log's start when that passes it", async () => {
    const disk = new MemoryDisk();
    const log = await filled(disk);
    const end = closedOf(log)[3]?.baseOffset ?? -1;
    await compact(log);
    log.advanceStartOffset(end);
    log.close();
    const after = openTestLog(disk, { config, startOffset: end });
    expect(offsetsIn(after)).toEqual(all.filter((offset) => offset >= end));
  });

  test.each(["close", "remove"] as const)(
    "is dropped when the log ends in between: %s",
    async (how) => {
      for (let turns = 0; turns < 8; turns++) {
        const disk = new MemoryDisk({ schedule: (run) => void setImmediate(run) });
        const log = await filled(disk);
        const end = closedOf(log)[3]?.baseOffset ?? -1;
        const compacting = compact(log);
        for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
        const ended = log[how]();
        const outcome = await compacting;
        await ended;
        if (how === "remove") {
          expect(disk.list(directory)).toEqual([]);
          continue;
        }
        await finishReplacements(disk, directory, disk.list(directory));
        const after = openTestLog(disk, { config });
        expect([all, compacted(end)]).toContainEqual(offsetsIn(after));
        if (outcome === "replaced") expect(offsetsIn(after)).toEqual(compacted(end));
      }
    },
  );

  test("that could not be put in place ends compaction, and harms no reader", async () => {
    const disk = new MemoryDisk();
    const log = await filled(disk);
    disk.failNext({ operation: "syncDirectory" });
    await expect(compact(log)).rejects.toThrow(DiskError);
    expect(offsetsIn(log)).toEqual(all);
    await expect(compact(log)).rejects.toThrow(DiskError);
    const end = closedOf(log)[3]?.baseOffset ?? -1;
    log.close();
    await finishReplacements(disk, directory, disk.list(directory));
    expect(offsetsIn(openTestLog(disk, { config }))).toEqual(compacted(end));
  });

  test("that finds the disk full is removed, and may be tried again", async () => {
    const disk = new MemoryDisk();
    const log = await filled(disk);
    const end = closedOf(log)[3]?.baseOffset ?? -1;
    const group = { baseOffset: 0, endOffset: end };
    const cleaned = log.compaction.begin(group);
    disk.setCapacity(disk.usedBytes + 10);
    const piece = log.compaction.read({ baseOffset: 0, position: 0, into: new Uint8Array(300) });
    expect(() => cleaned.append([piece ?? new Uint8Array(0)])).toThrow(DiskError);
    cleaned.discard();
    expect(disk.list(directory).filter((name) => name.includes("cleaned"))).toEqual([]);
    disk.setCapacity(Number.POSITIVE_INFINITY);
    expect(await compact(log)).toBe("replaced");
  });
});

describe("a death at any step of a replacement", () => {
  test("leaves the old segments or the new one, also when the start dies in turn", async () => {
    let deaths = 0;
    for (const moment of ["before", "after"] as const) {
      for (let at = 1; ; at++) {
        const died = await dieAt(at, moment);
        if (!died) break;
        deaths += 1;
      }
    }
    expect(deaths).toBeGreaterThan(40);
  });
});

/** Whether the replacement had so many steps. */
async function dieAt(at: number, moment: "before" | "after"): Promise<boolean> {
  for (let seed = 0; seed < 8; seed++) {
    const inner = new MemoryDisk();
    const before = await filled(inner);
    const end = closedOf(before)[3]?.baseOffset ?? -1;
    before.close();
    await inner.syncDirectory(directory);
    await inner.syncDirectory("partitions");
    const mortal = new MortalDisk(inner, { at, moment });
    const log = openTestLog(mortal, { config });
    const outcome = await compact(log).catch((error: unknown) => {
      if (!(error instanceof Death)) throw error;
      return "died";
    });
    if (outcome === "replaced") return false;
    const random = new SeededRandom(seed);
    lose(inner, seed, random);
    await recover(inner, random);
    if (seed === 0) {
      const tiered = openTestLog(inner, { config, coldEndOffset: batches });
      expect(tiered.localStartOffset).toBe(0);
      tiered.close();
    }
    const after = openTestLog(inner, { config });
    expect([all, compacted(end)]).toContainEqual(offsetsIn(after));
    appendAll(after, [testBatch({ baseOffset: batches })]);
    expect(offsetsIn(after).at(-1)).toBe(batches);
    expect(inner.list(directory).filter((name) => /cleaned|swap/.test(name))).toEqual([]);
  }
  return true;
}

/** The process dies, or power is lost as well. */
function lose(disk: MemoryDisk, seed: number, random: SeededRandom): void {
  if (seed === 0) disk.kill();
  else disk.crash(random);
}

/** Starts that die at a random step, until one comes through. */
async function recover(disk: MemoryDisk, random: SeededRandom): Promise<void> {
  for (;;) {
    const at = 1 + random.below(12);
    const mortal = new MortalDisk(disk, { at, moment: random.below(2) === 0 ? "before" : "after" });
    try {
      await finishReplacements(mortal, directory, mortal.list(directory));
      return;
    } catch (error) {
      if (!(error instanceof Death)) throw error;
      lose(disk, random.below(4), random);
    }
  }
}

describe("a gap at the end of a cleaned segment", () => {
  const tiered = { config, coldEndOffset: batches };
  const gaps = `${directory}/compacted-gaps`;

  async function gapped(): Promise<MemoryDisk> {
    const disk = new MemoryDisk();
    const log = await filled(disk);
    await compact(log);
    log.close();
    return disk;
  }

  test("is not taken for a lost file, unless nobody can tell", async () => {
    const disk = await gapped();
    expect(openTestLog(disk, tiered).localStartOffset).toBe(0);
    disk.flipBit(gaps, 100);
    const end = closedOf(openTestLog(disk, { config }))[1]?.baseOffset;
    expect(openTestLog(disk, tiered).localStartOffset).toBe(end);
  });

  test("that another round made larger is one still, also where a segment has nothing left", async () => {
    const disk = await gapped();
    const log = openTestLog(disk, { config });
    const [, first, second] = closedOf(log);
    if (first === undefined || second === undefined) throw new Error("no closed segments");
    await log.compaction.replace(
      log.compaction.begin({ baseOffset: first.baseOffset, endOffset: second.endOffset }),
    );
    log.close();
    const left = openTestLog(disk, tiered);
    expect(left.localStartOffset).toBe(0);
    expect(
      closedOf(left)
        .slice(0, 3)
        .map(({ baseOffset }) => baseOffset),
    ).toEqual([0, first.baseOffset, second.endOffset]);
  });

  test("is forgotten by a log that gives its offsets to other records", async () => {
    const disk = await gapped();
    const recovery = { kind: "truncateTo", offset: 4 } as const;
    openTestLog(disk, { config, recovery }).close();
    expect(disk.list(directory)).not.toContain("compacted-gaps");
  });

  test("can't be told on a full disk, and nothing is replaced then", async () => {
    const disk = new MemoryDisk();
    const log = await filled(disk);
    const before = offsetsIn(log);
    const open = disk.open.bind(disk);
    disk.open = (path, options) => {
      if (path.startsWith(gaps)) disk.setCapacity(disk.usedBytes);
      return open(path, options);
    };
    await expect(compact(log)).rejects.toThrow(DiskError);
    expect(offsetsIn(log)).toEqual(before);
    disk.open = open;
    disk.setCapacity(Number.POSITIVE_INFINITY);
    expect(await compact(log)).toBe("replaced");
  });
});

describe("the offset up to which a log is clean", () => {
  test("is known to the next life, and not from a damaged file", async () => {
    const disk = new MemoryDisk();
    const log = await filled(disk);
    expect(log.compaction.cleanedTo).toBeUndefined();
    log.compaction.noteCleanedTo(15);
    expect(log.compaction.cleanedTo).toBe(15);
    log.close();
    expect(openTestLog(disk, { config }).compaction.cleanedTo).toBe(15);
    disk.flipBit(`${directory}/cleaned-offset`, 100);
    expect(openTestLog(disk, { config }).compaction.cleanedTo).toBeUndefined();
    disk.cut(`${directory}/cleaned-offset`, 10);
    expect(openTestLog(disk, { config }).compaction.cleanedTo).toBeUndefined();
  });

  test("is not known any more where a log lost what was cleaned: what comes there is new", async () => {
    const disk = new MemoryDisk();
    const log = await filled(disk);
    log.compaction.noteCleanedTo(15);
    log.close();
    for (const name of disk.list(directory)) {
      if (/^[0-9]{20}[.]/.test(name) && Number(name.slice(0, 20)) >= 9) {
        disk.remove(`${directory}/${name}`);
      }
    }
    const shorter = openTestLog(disk, { config });
    expect(shorter.endOffset).toBe(9);
    for (let i = 9; i < 2 * batches; i++) {
      appendAll(shorter, [testBatch({ baseOffset: i, timestamps: [100 * i] })]);
    }
    expect(shorter.compaction.cleanedTo).toBeUndefined();
    shorter.close();
    expect(openTestLog(disk, { config }).compaction.cleanedTo).toBeUndefined();
  });

  test("nor where it is cut, as before its journal is replayed", async () => {
    const disk = new MemoryDisk();
    const log = await filled(disk);
    log.compaction.noteCleanedTo(15);
    log.truncateTo(16);
    expect(log.compaction.cleanedTo).toBe(15);
    log.truncateTo(9);
    expect(log.compaction.cleanedTo).toBeUndefined();
    log.close();
    expect(openTestLog(disk, { config }).compaction.cleanedTo).toBeUndefined();
  });
});
