import { MemoryDisk, SeededRandom, VirtualClock } from "@millrace/adapter-memory";
import { epoch, incarnationId, slot, topicId } from "@millrace/core";
import type { IncarnationId } from "@millrace/core";
import { crc32c } from "@millrace/wire";
import { expect, test } from "vitest";
import { smallLimits, turn } from "../../partition/fixtures.ts";
import { journalRoot } from "./journal-files.ts";
import { readJournal } from "./journal-reader.ts";
import { Journal } from "./journal.ts";
import type { PendingEntry } from "../append-journal.ts";

const incarnation: IncarnationId = incarnationId(`00000001-${"a".repeat(32)}`);
const topic = topicId("b".repeat(32));
const limits = { ...smallLimits, journalFileBytes: 32 * 1024, journalGrowBytes: 8 * 1024 };

/** One life of a journal on a disk whose syncs end when `hold` says so, and what it promised. */
class JournalLife {
  readonly random: SeededRandom;
  readonly disk: MemoryDisk;
  readonly journal: Journal;
  readonly durable = new Map<number, Uint8Array>();
  reused = 0;
  trim = 0;
  hold = false;
  readonly #held: (() => void)[] = [];

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    this.disk = new MemoryDisk({
      schedule: (run) => {
        if (this.hold) this.#held.push(run);
        else queueMicrotask(run);
      },
    });
    this.disk.makeDirectory(journalRoot);
    const rename = this.disk.rename.bind(this.disk);
    this.disk.rename = (from, to) => {
      if (from.endsWith(".spare")) this.reused += 1;
      rename(from, to);
    };
    this.journal = new Journal({
      ...{ disk: this.disk, clock: new VirtualClock(), random: this.random, crc32c },
      ...{ incarnation, limits },
      recordTrim: (trim) => {
        this.trim = trim;
        return Promise.resolve();
      },
      onFailed: (cause) => {
        throw cause;
      },
    });
  }

  append(bytes: number): void {
    const records = this.random.bytes(bytes);
    const { durable } = this;
    const entry: PendingEntry = {
      ...{ kind: "records", topicId: topic, partition: 0, slot: slot(0), epoch: epoch(1) },
      ...{ baseOffset: 0, lastOffset: 0, parts: [records], crc: crc32c(records) },
      durable: (seq) => durable.set(seq, records),
      delayed: () => undefined,
      failed: () => undefined,
    };
    this.journal.append(entry);
  }

  /** Lets some syncs that were held end, in any order; others are cut off by what comes. */
  async releaseSome(): Promise<void> {
    for (const run of this.#held.splice(0)) if (this.random.below(2) === 0) run();
    await turn();
  }

  found(): ReadonlyMap<number, Uint8Array> {
    const found = new Map<number, Uint8Array>();
    const { disk, trim } = this;
    for (const { object, bytes } of readJournal({ disk, trim, crc32c, incarnation })) {
      const [entry] = object.entries;
      if (entry === undefined) throw new Error("an object has an entry");
      found.set(object.header.seq, bytes.subarray(entry.position, entry.position + entry.length));
    }
    return found;
  }
}

/** Sizes that repeat, so that objects of several lives of a file begin at the same places. */
const sizes = [100, 3_000, 5_000, 9_000, 15_000];

test("a journal whose files are used again ends, wherever power is lost, behind what was durable", async () => {
  let reused = 0;
  let beyond = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const life = new JournalLife(seed);
    const count = 30 + life.random.below(60);
    for (let i = 0; i < count; i++) {
      life.append(sizes[life.random.below(sizes.length)] ?? 0);
      await turn();
      if (life.random.below(4) > 0) continue;
      const left = life.journal.durableSeq - life.trim;
      await life.journal.advanceTrim(life.trim + life.random.below(left + 1));
    }
    life.hold = true;
    life.append(sizes[seed % sizes.length] ?? 0);
    if (seed % 3 === 0) void life.journal.advanceTrim(life.journal.durableSeq);
    await turn();
    await life.releaseSome();
    life.disk.crash(life.random);
    reused += life.reused;
    const expected = [...life.durable].filter(([seq]) => seq >= life.trim);
    const found = life.found();
    expect([...found].slice(0, expected.length)).toEqual(expected);
    expect(found.size - expected.length).toBeLessThanOrEqual(1);
    beyond += found.size - expected.length;
  }
  expect(reused).toBeGreaterThan(150);
  expect(beyond).toBeGreaterThan(3);
});
