import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { topicId } from "../ids.ts";
import { ClassicGroup } from "./classic-group.ts";
import {
  blockBytesMax,
  GroupOffsets,
  type OffsetKey,
  type StoredOffsets,
} from "./group-offsets.ts";
import { expiredOffsets } from "./offset-expiry.ts";

const topic = (number: number) => topicId(String(number).padStart(32, "a"));

function committed(offset: number, metadata = "", commitMs = 0) {
  return { offset, leaderEpoch: 3, metadata, commitMs, expireMs: null };
}

/** What a reader of the written blocks gets. */
function restored(blocks: ReadonlyMap<number, StoredOffsets>): GroupOffsets {
  const offsets = new GroupOffsets();
  for (const [number, block] of blocks) {
    const topics = Object.entries(block).map(([id, entries]) => [topicId(id), entries] as const);
    offsets.restore(number, topics, 0);
  }
  return offsets;
}

describe("a group's offsets", () => {
  test("fill small blocks, so that a commit rewrites little", () => {
    const offsets = new GroupOffsets();
    for (let partition = 0; partition < 1_000; partition += 1) {
      offsets.set({ topicId: topic(1), partition }, committed(partition));
    }
    expect(offsets.blocks().length).toBeGreaterThan(40);
    expect(offsets.blocks().length).toBeLessThan(100);
    for (const number of offsets.blocks()) {
      expect(JSON.stringify(offsets.snapshot(number)?.stored).length).toBeLessThan(1_100);
    }
    expect(offsets.set({ topicId: topic(1), partition: 0 }, committed(9))).toEqual([0]);
  });

  test("leave a block that they outgrow, together with the one they move to", () => {
    const offsets = new GroupOffsets();
    for (let partition = 0; partition < 10; partition += 1) {
      offsets.set({ topicId: topic(1), partition }, committed(partition));
    }
    const key = { topicId: topic(1), partition: 0 };
    expect(offsets.set(key, committed(1, "x".repeat(4_000)))).toEqual([0, 1]);
    expect(offsets.get(key)?.metadata).toHaveLength(4_000);
    expect(offsets.set(key, committed(2, "y".repeat(4_000)))).toEqual([1]);
  });

  test("are the same when read again from the blocks that were named, whatever happened", () => {
    const change = fc.record({
      topic: fc.integer({ min: 0, max: 4 }),
      partition: fc.integer({ min: 0, max: 30 }),
      offset: fc.nat(),
      metadata: fc.constantFrom("", "m", "x".repeat(300), "y".repeat(3_000)),
      remove: fc.constantFrom(false, false, false, true),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 120 }), (changes) => {
        const offsets = new GroupOffsets();
        const model = new Map<string, number>();
        const written = new Map<number, StoredOffsets>();
        for (const { topic: number, partition, offset, metadata, remove } of changes) {
          const key: OffsetKey = { topicId: topic(number), partition };
          const name = `${number}/${partition}`;
          const removed = remove ? offsets.remove(key) : undefined;
          const touched = remove
            ? removed === undefined
              ? []
              : [removed]
            : offsets.set(key, committed(offset, metadata));
          if (remove) model.delete(name);
          else model.set(name, offset);
          expect(touched.length).toBeLessThanOrEqual(2);
          for (const block of touched) {
            const snapshot = offsets.snapshot(block);
            if (snapshot === undefined) written.delete(block);
            else written.set(block, snapshot.stored);
            const entries = Object.values(snapshot?.stored ?? {}).flat();
            if (entries.length > 1) expect(snapshot?.bytes).toBeLessThanOrEqual(blockBytesMax);
          }
          const read = restored(written);
          expect(read.size).toBe(model.size);
          expect(offsets.size).toBe(model.size);
        }
        const read = restored(written);
        for (const [name, offset] of model) {
          const [number = 0, partition = 0] = name.split("/").map(Number);
          expect(read.get({ topicId: topic(number), partition })?.offset).toBe(offset);
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe("offsets expire", () => {
  const retentionMs = 1_000;
  const offsets = new GroupOffsets();
  const old = { topicId: topic(1), partition: 0 };
  const young = { topicId: topic(2), partition: 0 };
  offsets.set(old, committed(1, "", 100));
  offsets.set(young, committed(1, "", 900));
  const nameOf = ({ topicId: id }: OffsetKey) => (id === topic(1) ? "old" : "young");

  test("by their commits, in a group that never had members", () => {
    const group = new ClassicGroup("g", 0);
    const about = { retentionMs, nameOf, subscription: "none" } as const;
    expect(expiredOffsets(group, offsets, { ...about, nowMs: 1_099 })).toEqual([]);
    expect(expiredOffsets(group, offsets, { ...about, nowMs: 1_100 })).toEqual([old]);
  });

  test("all together, once the group has been empty that long", () => {
    const group = new ClassicGroup("g", 5_000);
    group.protocolType = "consumer";
    const about = { retentionMs, nameOf, subscription: new Set<string>() };
    expect(expiredOffsets(group, offsets, { ...about, nowMs: 5_999 })).toEqual([]);
    expect(expiredOffsets(group, offsets, { ...about, nowMs: 6_000 })).toEqual([old, young]);
  });

  test("only of topics that a Stable consumer group does not read", () => {
    const group = stableConsumers();
    const about = { retentionMs, nameOf, nowMs: 9_000 };
    const reads = { ...about, subscription: new Set(["old"]) };
    expect(expiredOffsets(group, offsets, reads)).toEqual([young]);
    expect(expiredOffsets(group, offsets, { ...about, subscription: "unknown" })).toEqual([]);
    expect(expiredOffsets(group, offsets, { ...about, subscription: "none" })).toEqual([]);
  });

  test("not while they are committed again, unchanged, without a write", () => {
    const group = new ClassicGroup("g", 0);
    const touched = new GroupOffsets();
    touched.set(old, committed(1, "", 100));
    touched.touch(old, 1_000);
    const about = { retentionMs, nameOf, subscription: "none" } as const;
    expect(expiredOffsets(group, touched, { ...about, nowMs: 1_999 })).toEqual([]);
    expect(expiredOffsets(group, touched, { ...about, nowMs: 2_000 })).toEqual([old]);
  });

  test("at a time of their own where the commit gave one", () => {
    const group = new ClassicGroup("g", 0);
    const own = new GroupOffsets();
    own.set(old, { ...committed(1, "", 100), expireMs: 150 });
    const about = { retentionMs, nameOf, subscription: "none" } as const;
    expect(expiredOffsets(group, own, { ...about, nowMs: 149 })).toEqual([]);
    expect(expiredOffsets(group, own, { ...about, nowMs: 150 })).toEqual([old]);
  });
});

function stableConsumers(): ClassicGroup {
  const member = {
    memberId: "m",
    instanceId: null,
    clientId: "c",
    clientHost: "/h",
    sessionTimeoutMs: 1,
    rebalanceTimeoutMs: 1,
    protocols: [{ name: "range", metadata: new Uint8Array(0) }],
    assignment: new Uint8Array(0),
  };
  return ClassicGroup.restore("g", {
    state: "Stable",
    generation: 1,
    protocolType: "consumer",
    protocolName: "range",
    leader: "m",
    stateSinceMs: 0,
    members: [member],
  });
}
