import { MemoryDisk, SeededRandom } from "@millrace/adapter-memory";
import { type PartitionLog, summarizeBatch, viewOf } from "@millrace/core";
import { buildEndTransactionMarker, crc32c } from "@millrace/wire";
import { describe, expect, test } from "vitest";
import {
  headersIn,
  type SeenText,
  textBatch,
  type TextRecord,
  textsIn,
} from "../../../test/fixtures/compaction.ts";
import { DirectSideWork } from "../../../test/fixtures/direct-side-work.ts";
import {
  batchFormat,
  directory,
  openTestLog,
  smallSegments,
} from "../../../test/fixtures/partition-log.ts";
import { runRound, type TestRound } from "./fixtures.ts";

const config = { ...smallSegments, segmentBytes: 700, indexIntervalBytes: 150 };

function readAll(log: PartitionLog): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let from = log.logStartOffset; from < log.endOffset; ) {
    const range = { from, maxBytes: 1 << 20, upTo: log.endOffset, atLeastOneBatch: true };
    const read = log.read(range);
    if (read.kind !== "ok" || read.records.length === 0) break;
    parts.push(...read.records);
    from = read.nextOffset;
  }
  return new Uint8Array(Buffer.concat(parts));
}

function append(log: PartitionLog, batch: Uint8Array): void {
  log.append([batch], [summarizeBatch(batchFormat, viewOf(batch), 0)], 0);
}

interface Written extends SeenText {
  readonly batchOffset: number;
  /** Decided when its transaction ends. */
  isAborted: boolean;
  /** When a round first came upon the batch that has it. */
  seenMs: number | undefined;
}

/** A log that is written at random, with a list of everything that was. */
class World {
  readonly disk = new MemoryDisk();
  readonly random: SeededRandom;
  readonly written: Written[] = [];
  log: PartitionLog;
  nowMs = 1_000_000;
  /** Producer id to its next sequence, and what its open transaction wrote. */
  readonly #sequences = new Map<number, number>();
  readonly #open = new Map<number, Written[]>();

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    this.log = openTestLog(this.disk, { config });
  }

  append(): void {
    const { random } = this;
    const producerId = random.below(5) - 1;
    const isTransactional = producerId >= 2;
    const open = this.#open.get(producerId);
    if (open !== undefined && random.below(3) === 0) return this.#end(producerId, open);
    const baseOffset = this.log.endOffset;
    const count = 1 + random.below(4);
    const records = Array.from({ length: count }, (): TextRecord => this.#record());
    const fields = { baseOffset, isTransactional };
    const baseSequence = this.#sequences.get(producerId) ?? 0;
    const producer = { producerId, producerEpoch: 0, baseSequence };
    append(this.log, textBatch(records, producerId < 0 ? fields : { ...fields, ...producer }));
    this.#sequences.set(producerId, baseSequence + count);
    for (const [i, { key, timestamp = -1, value }] of records.entries()) {
      const seen = { offset: baseOffset + i, batchOffset: baseOffset, key, value, timestamp };
      const written: Written = { ...seen, isAborted: false, seenMs: undefined };
      this.written.push(written);
      if (!isTransactional) continue;
      const mine = this.#open.get(producerId) ?? [];
      this.#open.set(producerId, [...mine, written]);
    }
  }

  endTransactions(): void {
    for (const [producerId, open] of this.#open) this.#end(producerId, open);
  }

  async round(changes: TestRound = {}): Promise<void> {
    await this.log.sync();
    const nowMs = this.nowMs;
    const outcome = await runRound(this.log, { nowMs, pieceBytes: 300, ...changes });
    expect(outcome === "clean" ? "cleaned" : outcome.kind).toBe("cleaned");
    const { cleanedTo = 0 } = this.log.compaction;
    for (const written of this.written) {
      if (written.batchOffset < cleanedTo) written.seenMs ??= this.nowMs;
    }
  }

  /** The log in another life; without its snapshots, what the batches tell is all that there is. */
  reopen(): void {
    this.log.close();
    for (const name of this.disk.list(directory)) {
      if (name.endsWith(".snapshot")) this.disk.remove(`${directory}/${name}`);
    }
    this.log = openTestLog(this.disk, { config });
  }

  /** Everything that a round promises, whatever was written and cleaned before. */
  check(deleteRetentionMs: number): void {
    const { compaction, endOffset } = this.log;
    const { cleanedTo = 0 } = compaction;
    const bytes = readAll(this.log);
    const seen = textsIn(bytes);
    const byOffset = new Map(this.written.map((written) => [written.offset, written]));
    for (const { offset, ...record } of seen) expect(byOffset.get(offset)).toMatchObject(record);
    const offsets = seen.map(({ offset }) => offset);
    expect(offsets).toEqual(offsets.toSorted((a, b) => a - b));
    expect(endOffset).toBeGreaterThanOrEqual((offsets.at(-1) ?? -1) + 1);
    const visible = seen.filter(({ offset }) => byOffset.get(offset)?.isAborted === false);
    expect(stateOf(visible)).toEqual(stateOf(this.written.filter((each) => !each.isAborted)));
    const clean = seen.filter(({ offset }) => offset < cleanedTo);
    expect(new Set(clean.map(({ key }) => key)).size).toBe(clean.length);
    for (const { key, offset } of clean) {
      expect([key === null, byOffset.get(offset)?.isAborted]).toEqual([false, false]);
    }
    this.#checkTombstones(new Set(offsets), deleteRetentionMs);
    this.#checkProducers();
  }

  /** Offsets of those that nothing supersedes. */
  lastTombstones(): readonly number[] {
    const last = new Map<string | null, Written>();
    for (const each of this.written) if (!each.isAborted) last.set(each.key, each);
    const dead = [...last.values()].filter(({ key, value }) => value === null && key !== null);
    return dead.map(({ offset }) => offset);
  }

  #checkTombstones(left: ReadonlySet<number>, deleteRetentionMs: number): void {
    const dead = new Set(this.lastTombstones());
    for (const { offset, seenMs } of this.written) {
      if (!dead.has(offset)) continue;
      if (seenMs === undefined || seenMs + deleteRetentionMs > this.nowMs) {
        expect(left.has(offset)).toBe(true);
      }
    }
  }

  #checkProducers(): void {
    for (const [producerId, next] of this.#sequences) {
      if (producerId < 0) continue;
      const known = this.log.producers.get(producerId)?.batches.at(-1)?.lastSequence;
      expect([producerId, known]).toEqual([producerId, next - 1]);
    }
  }

  #record(): TextRecord {
    const { random } = this;
    const key = random.below(20) === 0 ? null : `k${random.below(9)}`;
    const value = random.below(5) === 0 ? null : `v${random.below(1000)}`;
    return { key, value, timestamp: 500_000 + random.below(1000) };
  }

  #end(producerId: number, open: readonly Written[]): void {
    const result = this.random.below(2) === 0 ? "commit" : "abort";
    const marker = buildEndTransactionMarker({
      ...{ crc32c, baseOffset: this.log.endOffset, partitionLeaderEpoch: 1, producerId },
      ...{ producerEpoch: 0, timestamp: 600_000, coordinatorEpoch: 0 },
      result,
    });
    append(this.log, marker);
    this.#open.delete(producerId);
    if (result === "abort") for (const written of open) written.isAborted = true;
  }
}

/** What a reader of all records makes of them. */
function stateOf(records: readonly SeenText[]): ReadonlyMap<string | null, string> {
  const state = new Map<string | null, string>();
  for (const { key, value } of records) {
    if (key === null) continue;
    if (value === null) state.delete(key);
    else state.set(key, value);
  }
  return state;
}

const deleteRetentionMs = 1000;

describe("rounds of compaction, among appends, transactions and restarts", () => {
  test.each(Array.from({ length: 40 }, (_, seed) => seed))(
    "keep what a reader of the log would know: seed %d",
    async (seed) => {
      const world = new World(seed);
      const { random } = world;
      for (let step = 0; step < 25; step++) {
        const appends = random.below(20);
        for (let i = 0; i < appends; i++) world.append();
        const mapBytesMax = random.below(2) === 0 ? 1 << 20 : 24 * (3 + random.below(12));
        await world.round({ mapBytesMax, deleteRetentionMs });
        world.check(deleteRetentionMs);
        world.nowMs += random.below(800);
        if (random.below(5) === 0) world.reopen();
      }
    },
  );

  test("come to the same with a map for a few keys, in several rounds, as with a large one", async () => {
    for (let seed = 0; seed < 6; seed++) {
      const left: (readonly object[])[] = [];
      for (const mapBytesMax of [1 << 20, 24 * 5]) {
        const world = new World(seed);
        for (let i = 0; i < 150; i++) world.append();
        await world.log.sync();
        let rounds = 0;
        let outcome = await runRound(world.log, { mapBytesMax, pieceBytes: 300 });
        for (; outcome !== "clean"; rounds++) {
          outcome = await runRound(world.log, { mapBytesMax, pieceBytes: 300 });
        }
        expect(rounds > 2).toBe(mapBytesMax < 1000);
        left.push([...textsIn(readAll(world.log))]);
      }
      expect(left[1]).toEqual(left[0]);
    }
  });
});

describe("a round", () => {
  test("makes one segment of many small ones, within segment.bytes", async () => {
    const world = new World(1);
    for (let i = 0; i < 200; i++) world.append();
    world.endTransactions();
    const before = world.log.compaction.segments().length;
    const segmentBytes = 3 * config.segmentBytes;
    world.log.config = { ...config, segmentBytes };
    await world.round();
    const after = world.log.compaction.segments();
    expect(after.length).toBeLessThan(before / 2);
    for (const { sizeBytes } of after) expect(sizeBytes).toBeLessThanOrEqual(segmentBytes);
  });

  test("that is stopped at any point leaves nothing beside the log, and the log as good", async () => {
    for (let stopAt = 1; ; stopAt += 1 + (stopAt >> 3)) {
      const world = new World(3);
      for (let i = 0; i < 120; i++) world.append();
      await world.log.sync();
      let asked = 0;
      const isStopped = (): boolean => ++asked >= stopAt;
      const outcome = await runRound(world.log, { pieceBytes: 300, isStopped });
      const names = world.disk.list(directory);
      expect(names.filter((name) => /cleaned$|swap$/.test(name))).toEqual([]);
      world.check(deleteRetentionMs);
      if (outcome !== "clean" && outcome.kind === "cleaned") {
        expect(stopAt).toBeGreaterThan(50);
        return;
      }
      expect(outcome).toEqual({ kind: "stopped" });
      expect(world.log.compaction.cleanedTo).toBeUndefined();
    }
  });

  test("that was to stop stops, also where it might go on by the time it is asked again", async () => {
    for (let stopAt = 1; ; stopAt += 1 + (stopAt >> 3)) {
      const world = new World(3);
      for (let i = 0; i < 120; i++) world.append();
      await world.log.sync();
      let asked = 0;
      const isStopped = (): boolean => ++asked === stopAt;
      const outcome = await runRound(world.log, { pieceBytes: 300, isStopped });
      world.check(deleteRetentionMs);
      if (asked < stopAt) return;
      expect(outcome).toEqual({ kind: "stopped" });
    }
  });

  test("whose thread dies rejects, and leaves nothing beside the log", async () => {
    for (const dies of [1, 2, 10, 20]) {
      const world = new World(3);
      for (let i = 0; i < 120; i++) world.append();
      await world.log.sync();
      const sideWork = new DirectSideWork();
      sideWork.onCall = (calls) => {
        if (calls === dies) throw new Error("died");
      };
      await expect(runRound(world.log, { pieceBytes: 300, sideWork })).rejects.toThrow("died");
      const names = world.disk.list(directory);
      expect(names.filter((name) => /cleaned$|swap$/.test(name))).toEqual([]);
      world.check(deleteRetentionMs);
      await world.round();
      world.check(deleteRetentionMs);
    }
  });

  test("says where the log is damaged, and changes nothing", async () => {
    const world = new World(5);
    for (let i = 0; i < 60; i++) world.append();
    await world.log.sync();
    const [, segment] = world.log.compaction.segments();
    const base = String(segment?.baseOffset).padStart(20, "0");
    const before = world.disk.bytesOf(`${directory}/${"0".repeat(20)}.log`);
    world.disk.flipBit(`${directory}/${base}.log`, 8 * 70);
    const outcome = await runRound(world.log, { pieceBytes: 300 });
    expect(outcome).toMatchObject({ kind: "damaged", reason: "bad-crc" });
    expect(outcome).toMatchObject({ at: `segment ${segment?.baseOffset}, byte 0` });
    expect(world.disk.bytesOf(`${directory}/${"0".repeat(20)}.log`)).toEqual(before);
  });

  test("removes tombstones and aborted data's markers in the end, and empties nobody needs", async () => {
    const world = new World(7);
    for (let i = 0; i < 100; i++) world.append();
    world.endTransactions();
    await world.round({ deleteRetentionMs });
    for (let i = 0; i < 3; i++) {
      world.nowMs += 10_000;
      world.log.producers.expire(world.nowMs, 1);
      for (let j = 0; j < 40; j++) {
        const baseOffset = world.log.endOffset;
        append(world.log, textBatch([{ key: "last", value: "x" }], { baseOffset }));
      }
      await world.log.sync();
      await runRound(world.log, { nowMs: world.nowMs, deleteRetentionMs });
    }
    const { cleanedTo = 0 } = world.log.compaction;
    const clean = textsIn(readAll(world.log)).filter(({ offset }) => offset < cleanedTo);
    expect(clean.filter(({ value }) => value === null)).toEqual([]);
    const headers = headersIn(readAll(world.log)).filter((each) => each.baseOffset < cleanedTo);
    expect(headers.filter(({ recordCount }) => recordCount === 0).length).toBeLessThanOrEqual(1);
    const aborted = headers.filter(({ isControl }) => isControl).length;
    const transactional = headers.filter((each) => each.isTransactional && !each.isControl).length;
    expect(aborted).toBeLessThanOrEqual(transactional);
  });

  test("keeps tombstones of a log whose older part lies elsewhere", async () => {
    const world = new World(7);
    for (let i = 0; i < 100; i++) world.append();
    world.endTransactions();
    await world.round({ deleteRetentionMs: 0, expiresBelow: 0 });
    const tombstones = world.lastTombstones();
    expect(tombstones.length).toBeGreaterThan(0);
    world.nowMs += 1;
    for (let i = 0; i < 40; i++) {
      const baseOffset = world.log.endOffset;
      append(world.log, textBatch([{ key: "last", value: "x" }], { baseOffset }));
    }
    await world.log.sync();
    await runRound(world.log, { nowMs: world.nowMs, expiresBelow: 0 });
    const left = textsIn(readAll(world.log)).map(({ offset }) => offset);
    expect(left).toEqual(expect.arrayContaining([...tombstones]));
  });
});
