import {
  cleanBatches,
  type ColdPart,
  KeyMemory,
  ProducerState,
  summarizeBatch,
  viewOf,
} from "@millrace/core";
import { buildEndTransactionMarker, crc32c, splitBatches, TIER_NONCE_BYTES } from "@millrace/wire";
import { describe, expect, test } from "vitest";
import {
  emptyMap,
  headersIn,
  noOrder,
  textBatch,
  textsIn,
} from "../../../test/fixtures/compaction.ts";
import { DirectSideWork } from "../../../test/fixtures/direct-side-work.ts";
import { bytesIn, CheckpointerRig, type TestOwner, wire } from "../tier/fixtures.ts";
import type { PartitionOwner } from "../partition/owner.ts";
import { ColdCleaner } from "./cold-cleaner.ts";
import { ColdRound, type ColdRoundDeps, type ColdRoundOutcome } from "./cold-round.ts";
import { testTools } from "./fixtures.ts";
import { compactionLimits } from "./limits.ts";

interface TestOrder {
  readonly from?: number;
  readonly to?: number;
  readonly nowMs?: number;
  readonly groupPartsMax?: number;
  readonly isStopped?: () => boolean;
}

/** Cold segments of batches that tests make, and rounds over them. */
class ColdWorld {
  readonly rig: CheckpointerRig = new CheckpointerRig();
  readonly owner: TestOwner = this.rig.owner(0);
  readonly producers: ProducerState = ProducerState.empty();
  #next = 0;

  /** A batch of one record each: `key=value`. */
  data(...records: readonly string[]): readonly Uint8Array[] {
    return records.map((record) => this.#batch(record, {}));
  }

  inTransaction(producerId: number, ...records: readonly string[]): readonly Uint8Array[] {
    const fields = { producerId, producerEpoch: 0, baseSequence: 0, isTransactional: true };
    return records.map((record) => this.#batch(record, fields));
  }

  end(producerId: number, result: "commit" | "abort"): readonly Uint8Array[] {
    const baseOffset = this.#next++;
    const producer = { producerId, producerEpoch: 0, partitionLeaderEpoch: 1 };
    const marker = { baseOffset, ...producer, result, coordinatorEpoch: 0 };
    return [this.#count(buildEndTransactionMarker({ ...marker, timestamp: 0, crc32c }))];
  }

  async segment(
    batches: readonly (readonly Uint8Array[])[],
    tells: "producers" | "nothing" = "nothing",
  ): Promise<ColdPart> {
    const { cold, changes, parts, at } = this.owner.tiered;
    const baseOffset = cold.endOffset ?? 0;
    const image = parts.newImage({ baseOffset });
    for (const batch of batches.flat()) image.add(batch);
    const producers = tells === "producers" ? this.producers.snapshot() : new Uint8Array(0);
    const nonce = new Uint8Array(TIER_NONCE_BYTES);
    const part = await changes.put(image.finish({ nextOffset: this.#next, producers, nonce }));
    await this.rig.manifest.add(at, [part]);
    cold.addSegment(part);
    return part;
  }

  get deps(): Omit<ColdRoundDeps, "limits"> {
    return {
      ...{ format: testTools.format, sideWork: new DirectSideWork(), random: this.rig.random },
      ...{ keyMemory: new KeyMemory(), offsetSpanMax: 0x7fffffff },
      isStopped: () => false,
      pass: () => Promise.resolve(),
    };
  }

  round(order: TestOrder = {}): Promise<ColdRoundOutcome> {
    const { cold } = this.owner.tiered;
    const { from = cold.cleanedTo ?? 0, to = cold.endOffset ?? 0, nowMs = 0 } = order;
    const cleanable = { firstDirtyOffset: from, firstUncleanableOffset: to, dirtyRatio: 1 };
    const round = new ColdRound(
      this.owner.tiered,
      {
        ...{ cleanable: { ...cleanable, isDue: true }, mapBytesMax: 1 << 20 },
        ...{ seed: new Uint8Array(16).fill(3), nowMs, deleteRetentionMs: 100, expiresBelow: from },
      },
      {
        ...this.deps,
        ...(order.isStopped === undefined ? {} : { isStopped: order.isStopped }),
        limits: {
          ...{ pieceBytes: 150, coldRequestBytes: 400, coldSegmentBytesMax: 100_000 },
          coldGroupPartsMax: order.groupPartsMax ?? 64,
        },
      },
    );
    return this.rig.run(round.run());
  }

  async bytes(): Promise<Uint8Array> {
    const all: number[] = [];
    for (const { batchesBytes, object } of this.owner.tiered.cold.segments) {
      const range = { from: 0, bytes: Math.max(1, batchesBytes) };
      const bytes = await this.rig.memory.readRange(object, range);
      all.push(...(bytes ?? []).slice(0, batchesBytes));
    }
    return Uint8Array.from(all);
  }

  async records(): Promise<readonly string[]> {
    return textsIn(await this.bytes()).map(({ key, offset, value }) => `${offset}:${key}=${value}`);
  }

  async markers(): Promise<readonly number[]> {
    const headers = headersIn(await this.bytes()).filter(({ isControl }) => isControl);
    return headers.map(({ baseOffset }) => baseOffset);
  }

  /** That the manifest, memory and the store agree, and no offset is missing. */
  async check(): Promise<void> {
    const { at, cold } = this.owner.tiered;
    expect(await this.rig.manifest.segments(at)).toEqual(cold.segments);
    const named = cold.segments.map(({ object }) => object);
    expect(this.rig.keys("data").toSorted()).toEqual(named.toSorted());
    expect([cold.startOffset, cold.endOffset]).toEqual([0, this.#next]);
  }

  #batch(record: string, fields: Parameters<typeof textBatch>[1]): Uint8Array {
    const [key = "", value = null] = record.split("=");
    const baseOffset = this.#next++;
    return this.#count(textBatch([{ key, value, timestamp: 1 }], { ...fields, baseOffset }));
  }

  #count(batch: Uint8Array): Uint8Array {
    for (const at of splitBatches(batch).starts) {
      this.producers.apply(summarizeBatch(wire.format, viewOf(batch), at));
    }
    return batch;
  }
}

describe("transactions in cold parts", () => {
  test("leave what was committed; a marker stays as long as its data, and for its time", async () => {
    const world = new ColdWorld();
    await world.segment([world.inTransaction(1, "a=1"), world.inTransaction(2, "b=2")]);
    await world.segment([world.end(1, "abort"), world.data("c=3"), world.end(2, "commit")]);
    expect((await world.round()).kind).toBe("cleaned");
    expect(await world.records()).toEqual(["1:b=2", "3:c=3"]);
    expect(await world.markers()).toEqual([2, 4]);
    await world.check();
    await world.segment([world.data("b=5", "d=6")]);
    await world.round({ nowMs: 1_000 });
    expect(await world.records()).toEqual(["3:c=3", "5:b=5", "6:d=6"]);
    expect(await world.markers()).toEqual([2, 4]);
    await world.segment([world.data("e=7")]);
    await world.round({ nowMs: 1_100 });
    expect(await world.markers()).toEqual([4]);
    await world.segment([world.data("f=8")]);
    await world.round({ nowMs: 1_200 });
    expect(await world.markers()).toEqual([]);
    await world.check();
  });

  test("whose end is not in the object store yet are left for a later round", async () => {
    const world = new ColdWorld();
    await world.segment([world.data("a=0", "a=1"), world.inTransaction(1, "a=2")]);
    const before = await world.records();
    expect(await world.round()).toEqual({ kind: "undecided" });
    expect(await world.records()).toEqual(before);
    await world.segment([world.end(1, "abort")]);
    expect((await world.round()).kind).toBe("cleaned");
    expect(await world.records()).toEqual(["1:a=1"]);
    await world.check();
  });

  test("that are undecided only behind what is clean do not hold up what lies before", async () => {
    const world = new ColdWorld();
    await world.segment([world.data("a=0", "a=1")]);
    await world.segment([world.inTransaction(1, "b=2"), world.data("a=3")]);
    expect(await world.round()).toMatchObject({ kind: "cleaned", cleanedTo: 2 });
    expect(await world.records()).toEqual(["1:a=1", "2:b=2", "3:a=3"]);
    await world.check();
  });
});

test("a partition for which a round could do nothing is left alone until it has more", async () => {
  const world = new ColdWorld();
  await world.segment([world.data("a=0"), world.inTransaction(1, "a=1")]);
  const { log, settings, tiered } = world.owner;
  const ends = { logStartOffset: 0, lastStableOffset: 1_000 };
  const owner = { log, settings, tiered, ...ends } as unknown as PartitionOwner;
  const limits = { ...compactionLimits, coldDirtyBytesMin: 1 };
  const cleaner = new ColdCleaner(world.rig.clock, limits);
  const seed = new Uint8Array(16);
  const rest = { seed, nowMs: 0, mapBytesMax: 1 << 20, deleteRetentionMs: 100 };
  const cleanable = await cleaner.look(owner);
  if (cleanable?.isDue !== true) throw new Error("no round is due");
  const outcome = await cleaner.round(owner, { ...rest, cleanable }, world.deps);
  expect(outcome).toEqual({ kind: "undecided" });
  expect(await cleaner.look(owner)).toBeUndefined();
  await world.segment([world.end(1, "abort")]);
  expect(await cleaner.look(owner)).toMatchObject({ isDue: true });
});

test("a tombstone that comes with the hot log's horizon gets one from the cold log", async () => {
  const world = new ColdWorld();
  const tombstone = bytesIn(world.data("a", "b=1"));
  const inHot = { ...noOrder, endOffset: 9, nowMs: 10, deleteRetentionMs: 100 };
  const { parts } = cleanBatches(tombstone, emptyMap(), inHot, testTools);
  expect(headersIn(bytesIn(parts))[0]).toMatchObject({ baseTimestamp: 110 });
  await world.segment([parts]);
  await world.round({ nowMs: 1_000 });
  expect(headersIn(await world.bytes())[0]).toMatchObject({ baseTimestamp: 1_100 });
  for (const [nowMs, left] of [
    [1_099, ["0:a=null", "1:b=1"]],
    [1_100, ["1:b=1"]],
  ] as const) {
    await world.segment([world.data(`c=${nowMs}`)]);
    await world.round({ nowMs });
    expect((await world.records()).slice(0, -1)).toEqual(left);
  }
});

describe("a round over cold parts", () => {
  test("that is stopped at any point leaves every part, or its replacement, whole", async () => {
    for (let stopAt = 1; ; stopAt++) {
      const world = new ColdWorld();
      for (let i = 0; i < 4; i++) await world.segment([world.data("a=x", `k${i}=y`, "a=z")]);
      let asked = 0;
      const isStopped = (): boolean => ++asked >= stopAt;
      const outcome = await world.round({ isStopped, groupPartsMax: 2 });
      await world.check();
      const records = await world.records();
      for (const live of ["1:k0=y", "4:k1=y", "7:k2=y", "10:k3=y", "11:a=z"]) {
        expect(records).toContain(live);
      }
      const cleanedTo = world.owner.tiered.cold.cleanedTo ?? 0;
      const clean = records.filter((each) => Number.parseInt(each) < cleanedTo);
      expect(clean.filter((each) => each.includes(":a="))).toEqual(
        cleanedTo === 12 ? ["11:a=z"] : [],
      );
      if (outcome.kind === "cleaned") {
        expect(stopAt).toBeGreaterThan(20);
        return;
      }
      expect(outcome.kind).toBe("stopped");
    }
  });

  test("that was to stop stops, also where it might go on by the time it is asked again", async () => {
    for (let stopAt = 1; ; stopAt++) {
      const world = new ColdWorld();
      for (let i = 0; i < 4; i++) await world.segment([world.data("a=x", `k${i}=y`, "a=z")]);
      let asked = 0;
      const isStopped = (): boolean => ++asked === stopAt;
      const outcome = await world.round({ isStopped, groupPartsMax: 2 });
      const records = await world.records();
      expect(records).toEqual(
        expect.arrayContaining(["1:k0=y", "4:k1=y", "7:k2=y", "10:k3=y", "11:a=z"]),
      );
      if (asked < stopAt) return;
      expect(outcome).toEqual({ kind: "stopped" });
    }
  });

  test("says where offsets do not rise, which no CRC covers", async () => {
    const world = new ColdWorld();
    const part = await world.segment([world.data("a=1", "b=2", "c=3")]);
    const bytes = await world.rig.memory.readRange(part.object, { from: 0, bytes: part.bytes });
    if (bytes === undefined) throw new Error("it is there");
    const [, second = 0, third = 0] = splitBatches(bytes.subarray(0, part.batchesBytes)).starts;
    // The third batch says that it is the first; the second one that it lies behind the part.
    for (const [at, byte, value] of [
      [third, 7, 0],
      [second, 4, 1],
    ] as const) {
      const wrong = bytes.slice();
      wrong[at + byte] = value;
      await world.rig.memory.delete([part.object]);
      await world.rig.memory.putIfAbsent(part.object, [wrong]);
      const outcome = await world.round();
      expect(outcome).toMatchObject({ kind: "damaged" });
      expect(world.owner.tiered.cold.segments).toEqual([part]);
    }
  });

  test("puts a bounded number of parts together at once", async () => {
    const world = new ColdWorld();
    for (let i = 0; i < 7; i++) await world.segment([world.data(`k${i}=y`)]);
    await world.round({ groupPartsMax: 3 });
    const { segments } = world.owner.tiered.cold;
    expect(segments.map(({ nextOffset }) => nextOffset)).toEqual([3, 6, 7]);
    await world.check();
  });

  test("stores nothing of a segment of which everything stays, and says that it is clean", async () => {
    const world = new ColdWorld();
    const part = await world.segment([world.data("a=1", "b=2")]);
    expect((await world.round()).kind).toBe("cleaned");
    expect(world.owner.tiered.cold.segments).toEqual([{ ...part, isCleaned: true }]);
    await world.check();
  });

  test("keeps the epochs of batches that go, and what was told of producers", async () => {
    const world = new ColdWorld();
    const first = await world.segment([world.inTransaction(7, "a=0"), world.end(7, "commit")]);
    await world.segment([world.data("a=2", "a=3")], "producers");
    await world.segment([world.inTransaction(9, "b=4"), world.end(9, "commit"), world.data("b=6")]);
    const snapshot = world.producers.snapshot();
    const { cold, parts } = world.owner.tiered;
    await world.round();
    await world.segment([world.data("c=7")]);
    await world.round({ nowMs: 1_000 });
    expect(cold.segments.length).toBe(1);
    const [one] = cold.segments;
    const tail = one === undefined ? undefined : await parts.tailOf(one);
    expect(one?.leaderEpochs[0]).toEqual(first.leaderEpochs[0]);
    expect(tail?.producers).toEqual(snapshot);
    expect(await world.records()).toEqual(["3:a=3", "6:b=6", "7:c=7"]);
  });

  test("tells of producers at the end of the cold log, also where no part there did", async () => {
    const world = new ColdWorld();
    await world.segment([world.inTransaction(7, "a=0"), world.end(7, "commit")], "producers");
    await world.segment([world.inTransaction(9, "a=2"), world.end(9, "commit"), world.data("a=4")]);
    await world.round({ groupPartsMax: 1 });
    const { cold, parts } = world.owner.tiered;
    const last = cold.segments.at(-1);
    const tail = last === undefined ? undefined : await parts.tailOf(last);
    expect(tail?.producers).toEqual(world.producers.snapshot());
    expect(await world.records()).toEqual(["4:a=4"]);
  });

  test("tells of producers whose batches go, also where it then stops and no part behind does", async () => {
    const world = new ColdWorld();
    await world.segment([world.inTransaction(7, "a=0"), world.end(7, "commit")]);
    const asOfThen = world.producers.snapshot();
    await world.segment([world.data("a=2")]);
    const { cold, parts } = world.owner.tiered;
    const isStopped = (): boolean => (cold.cleanedTo ?? 0) > 0;
    expect(await world.round({ isStopped, groupPartsMax: 1 })).toEqual({ kind: "stopped" });
    const [first] = cold.segments;
    expect(first?.isCleaned).toBe(true);
    const tail = first === undefined ? undefined : await parts.tailOf(first);
    expect(tail?.producers).toEqual(asOfThen);
  });

  test("says which object is missing, and stops where it was replaced", async () => {
    const world = new ColdWorld();
    const part = await world.segment([world.data("a=1", "a=2")]);
    await world.rig.memory.delete([part.object]);
    expect(await world.round()).toMatchObject({ kind: "damaged", at: part.object });
    const { tiered } = world.owner;
    let reads = 0;
    const isStopped = (): boolean => {
      if (++reads === 1) tiered.cold.cutStart(2);
      return false;
    };
    expect(await world.round({ isStopped })).toEqual({ kind: "stopped" });
  });

  test("does not call an object damaged that went with its topic while it was read", async () => {
    for (let stopAt = 1; ; stopAt++) {
      const world = new ColdWorld();
      const part = await world.segment([world.data("a=1", "a=2")]);
      await world.rig.memory.delete([part.object]);
      let asked = 0;
      const outcome = await world.round({ isStopped: () => ++asked >= stopAt });
      if (asked < stopAt) {
        expect(outcome.kind).toBe("damaged");
        expect(stopAt).toBeGreaterThan(2);
        return;
      }
      expect(outcome).toEqual({ kind: "stopped" });
    }
  });
});
