import { MetadataError } from "@millrace/core";
import type { ColdPart, MetadataStore, Write } from "@millrace/core";
import { TIER_NONCE_BYTES } from "@millrace/wire";
import { describe, expect, it } from "vitest";
import { testBatch } from "../../../test/fixtures/partition-log.ts";
import { CheckpointerRig, smallLimits, type TestOwner } from "./fixtures.ts";

type Act = () => Promise<void> | void;
const nothing: Act = () => undefined;

/** Three cold segments of ten offsets each, and a store that lets tests do something in between. */
class ChangesWorld {
  /** Called before a transaction that names segments, and after it; what it throws is its outcome. */
  before: Act = nothing;
  after: Act = nothing;
  readonly rig: CheckpointerRig;
  readonly owner: TestOwner;
  readonly #cuts: Promise<void>[] = [];

  constructor() {
    this.rig = new CheckpointerRig({ overMetadata: (store) => this.#over(store) });
    this.owner = this.rig.owner(0);
  }

  static async start(): Promise<ChangesWorld> {
    const world = new ChangesWorld();
    for (const from of [0, 10, 20]) {
      const part = await world.stored(from, from + 10);
      await world.rig.manifest.add(world.owner.tiered.at, [part]);
      world.owner.tiered.cold.addSegment(part);
    }
    return world;
  }

  stored(baseOffset: number, nextOffset: number): Promise<ColdPart> {
    const { changes, parts } = this.owner.tiered;
    const image = parts.newImage({ baseOffset });
    image.add(testBatch({ baseOffset, timestamps: [baseOffset] }).bytes);
    const end = { nextOffset, producers: new Uint8Array(0) };
    const nonce = new Uint8Array(TIER_NONCE_BYTES).fill(baseOffset + 1);
    return changes.put(image.finish({ ...end, nonce }));
  }

  /** The first two become one. */
  async replace(): Promise<"replaced" | "gone" | "failed"> {
    const { changes, cold } = this.owner.tiered;
    const old = cold.segments.slice(0, 2);
    const by = [{ ...(await this.stored(0, 20)), isCleaned: true }];
    try {
      return await this.rig.run(changes.replace(old, by));
    } catch (error) {
      if (!(error instanceof MetadataError)) throw error;
      return "failed";
    }
  }

  /** The start is stored: it moves at once. */
  cut(offset: number): void {
    const { changes } = this.owner.tiered;
    this.#cuts.push(changes.cutStart(offset));
  }

  /** That the manifest, memory and the store say the same. */
  async check(segments: readonly (readonly [number, number])[]): Promise<void> {
    this.before = nothing;
    this.after = nothing;
    await this.rig.run(Promise.all(this.#cuts));
    const { at, cold } = this.owner.tiered;
    const shown = cold.segments.map(({ baseOffset, nextOffset }) => [baseOffset, nextOffset]);
    expect(shown).toEqual(segments);
    expect(await this.rig.manifest.segments(at)).toEqual(cold.segments);
    const named = cold.segments.map(({ object }) => object);
    expect(this.rig.keys("data").toSorted()).toEqual(named.toSorted());
  }

  #over(store: MetadataStore): MetadataStore {
    const transact = async (writes: readonly Write[]) => {
      const { after, before } = this;
      const isOfSegments = writes.some(({ key }) => key.includes("/segment/"));
      if (isOfSegments) await before();
      const outcome = await store.transact(writes);
      if (isOfSegments) await after();
      return outcome;
    };
    return {
      transact,
      get: (key) => store.get(key),
      range: (range) => store.range(range),
      close: () => store.close(),
    };
  }
}

function lost(): never {
  throw new MetadataError("lost", { retriable: false, applied: "maybe" });
}

it("a large tail begins behind a segment that came while it waited", async () => {
  const rig = new CheckpointerRig();
  const owner = rig.owner(0);
  const { at, changes, cold, parts } = owner.tiered;
  rig.append(owner, 2);
  await rig.pass(smallLimits.checkpointDueMs);
  const [packed] = cold.packed;
  if (packed === undefined) throw new Error("nothing is packed");
  const image = parts.newImage({ baseOffset: 0 });
  image.add(testBatch({ baseOffset: 0, timestamps: [0] }).bytes);
  const end = { nextOffset: packed.nextOffset, producers: new Uint8Array(0) };
  const by = await changes.put(image.finish({ ...end, nonce: new Uint8Array(TIER_NONCE_BYTES) }));
  let release = nothing;
  const change = changes.run(async () => {
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    await rig.manifest.replace(at, [], [by]);
    cold.replace([packed], [by]);
  });
  rig.append(owner, 8);
  await rig.pass(smallLimits.checkpointDueMs);
  expect(cold.segments).toEqual([]);
  await release();
  await change;
  await rig.pass(smallLimits.checkpointDueMs);
  expect(cold.segments.map(({ baseOffset }) => baseOffset).slice(0, 2)).toEqual([0, 2]);
  expect(cold.endOffset).toBe(10);
  expect(await rig.manifest.segments(at)).toEqual(cold.segments);
});

describe("segments that take the place of others", () => {
  it("are named at once, and the others' objects go", async () => {
    const world = await ChangesWorld.start();
    expect(await world.replace()).toBe("replaced");
    await world.check([
      [0, 20],
      [20, 30],
    ]);
  });

  it("count soon where it was not said whether they are named, whatever else is to be changed", async () => {
    const world = await ChangesWorld.start();
    world.after = () => {
      world.after = nothing;
      lost();
    };
    expect(await world.replace()).toBe("failed");
    expect(world.owner.tiered.cold.segments).toHaveLength(3);
    await world.rig.pass(smallLimits.checkpointRetryMs);
    await world.check([
      [0, 20],
      [20, 30],
    ]);
  });

  it.each([
    [
      10,
      "replaced",
      [
        [0, 20],
        [20, 30],
      ],
    ],
    [20, "replaced", [[20, 30]]],
    [30, "replaced", []],
  ] as const)(
    "whose parts the start %i passes while they are named end as the start says",
    async (offset, outcome, left) => {
      for (const when of ["before", "after"] as const) {
        const world = await ChangesWorld.start();
        world[when] = () => {
          world[when] = nothing;
          world.cut(offset);
        };
        expect(await world.replace()).toBe(outcome);
        await world.check(left);
      }
    },
  );

  it("are not named where the start has passed one of the parts before", async () => {
    const world = await ChangesWorld.start();
    const { changes, cold } = world.owner.tiered;
    const old = cold.segments.slice(0, 2);
    const by = [await world.stored(0, 20)];
    world.cut(10);
    expect(await world.rig.run(changes.replace(old, by))).toBe("gone");
    await world.check([
      [10, 20],
      [20, 30],
    ]);
  });

  it("are not named when the partition is over", async () => {
    const world = await ChangesWorld.start();
    await world.owner.tiered.changes.close();
    expect(await world.replace()).toBe("gone");
    await world.check([
      [0, 10],
      [10, 20],
      [20, 30],
    ]);
  });

  it("count when their commit was made and never answered, before anything else changes", async () => {
    const world = await ChangesWorld.start();
    world.after = lost;
    expect(await world.replace()).toBe("failed");
    world.after = nothing;
    expect(world.owner.tiered.cold.segments.length).toBe(3);
    expect(await world.owner.tiered.changes.run(() => Promise.resolve("ran"))).toBe("ran");
    await world.check([
      [0, 20],
      [20, 30],
    ]);
  });

  it("count also when the start has passed some of their parts before that was known", async () => {
    for (const [offset, left] of [
      [
        10,
        [
          [0, 20],
          [20, 30],
        ],
      ],
      [20, [[20, 30]]],
    ] as const) {
      const world = await ChangesWorld.start();
      world.after = lost;
      expect(await world.replace()).toBe("failed");
      world.after = nothing;
      world.cut(offset);
      await world.check(left);
    }
  });

  it("do not count when their commit was not made; a sweep has their objects", async () => {
    const world = await ChangesWorld.start();
    world.before = lost;
    expect(await world.replace()).toBe("failed");
    world.before = nothing;
    expect(await world.owner.tiered.changes.run(() => Promise.resolve("ran"))).toBe("ran");
    const { at, cold } = world.owner.tiered;
    expect(cold.segments.length).toBe(3);
    expect(await world.rig.manifest.segments(at)).toEqual(cold.segments);
    expect(world.rig.keys("data").length).toBe(4);
  });

  it("hold up every other change while nobody can find out", async () => {
    const world = await ChangesWorld.start();
    const { changes } = world.owner.tiered;
    world.after = lost;
    expect(await world.replace()).toBe("failed");
    world.after = nothing;
    let ran = 0;
    const change = async (): Promise<void> => void (ran += 1);
    const { manifest } = world.rig;
    const segments = manifest.segments.bind(manifest);
    manifest.segments = () => Promise.reject(new Error("away"));
    await expect(changes.run(change)).rejects.toThrow("away");
    await expect(changes.run(change)).rejects.toThrow("away");
    expect(ran).toBe(0);
    manifest.segments = segments;
    await changes.run(change);
    expect(ran).toBe(1);
    await world.check([
      [0, 20],
      [20, 30],
    ]);
  });
});
