import type { ObjectStore, TopicSettings } from "@millrace/core";
import { objectBytes } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { CheckpointerRig, smallLimits } from "./fixtures.ts";
import type { TestOwner } from "./fixtures.ts";
import { checked } from "./limits.ts";
import type { TierLimits } from "./limits.ts";

const { checkpointDueBytes, checkpointDueMs, leftTailBytesMax } = smallLimits;
const batchBytes = 200;

/** Sums up what is put. */
class CountedPuts {
  bytes = 0;

  over(store: ObjectStore): ObjectStore {
    return Object.assign(Object.create(store) as ObjectStore, {
      readRange: store.readRange.bind(store),
      list: store.list.bind(store),
      delete: store.delete.bind(store),
      putIfAbsent: (key: string, parts: readonly Uint8Array[]) => {
        this.bytes += objectBytes(parts);
        return store.putIfAbsent(key, parts);
      },
    });
  }
}

/** One partition that streams, and some that trickle. */
function rigWith(trickling: number, options: ConstructorParameters<typeof CheckpointerRig>[0]) {
  const rig = new CheckpointerRig(options);
  const streaming = rig.owner(0);
  const others = Array.from({ length: trickling }, (_, i) => rig.owner(i + 1, 1 + (i % 8)));
  return { rig, streaming, others };
}

/** Enough for a round to begin at once. */
async function stream(rig: CheckpointerRig, streaming: TestOwner): Promise<void> {
  rig.append(streaming, Math.ceil(checkpointDueBytes / batchBytes) + 1, batchBytes);
  await rig.pass(0);
  expect(streaming.tiered.cold.endOffset).toBe(streaming.log.endOffset);
}

describe("a round that bytes began", () => {
  it("leaves the partitions that trickle beside the one that streams", async () => {
    const { others, rig, streaming } = rigWith(5, {});
    for (let round = 0; round < 10; round += 1) {
      for (const each of others) rig.append(each, 1, 80);
      await stream(rig, streaming);
      await rig.pass(checkpointDueMs / 20);
    }
    for (const { tiered } of others) expect(tiered.cold.endOffset).toBeUndefined();
    expect(rig.keys("checkpoint")).toEqual([]);
    expect(rig.checkpointer.dirtyPartitions).toBe(5);
    await rig.pass(checkpointDueMs / 2);
    for (const { log, tiered } of others) expect(tiered.cold.endOffset).toBe(log.endOffset);
    expect(rig.registered.length).toBeGreaterThan(0);
    expect(rig.checkpointer.dirtyBytes).toBe(0);
  });

  it("puts off no partition for longer than its bytes may wait", async () => {
    const { others, rig, streaming } = rigWith(1, {});
    const [trickling] = others;
    if (trickling === undefined) throw new Error("there is none");
    await rig.pass(checkpointDueMs / 4);
    rig.append(trickling, 1, 80);
    const beganMs = rig.clock.monotonicMs();
    while (trickling.tiered.cold.endOffset === undefined) {
      expect(rig.clock.monotonicMs()).toBeLessThan(beganMs + checkpointDueMs);
      await rig.pass(checkpointDueMs / 10);
      rig.append(trickling, 1, 80);
      await stream(rig, streaming);
    }
    expect(rig.clock.monotonicMs()).toBe(beganMs + checkpointDueMs);
  });

  it("takes the largest of them once too much is left, and leaves half of what may be", async () => {
    const { others, rig } = rigWith(60, {});
    others.forEach((each, i) => rig.append(each, i % 2 === 0 ? 4 : 3, batchBytes));
    const most = rig.checkpointer.dirtyBytes;
    expect(most).toBeLessThan(leftTailBytesMax + checkpointDueBytes);
    expect(most).toBeGreaterThan(leftTailBytesMax);
    await rig.pass(0);
    expect(rig.checkpointer.dirtyBytes).toBeLessThanOrEqual(leftTailBytesMax / 2);
    expect(rig.checkpointer.dirtyBytes).toBeGreaterThan(leftTailBytesMax / 2 - 5 * batchBytes);
    // Only larger ones went.
    for (const [i, { tiered }] of others.entries()) {
      if (i % 2 === 1) expect(tiered.cold.endOffset).toBeUndefined();
    }
  });

  it("goes on at full speed once somebody waits for it", async () => {
    const limits = { ...smallLimits, uploadReadBytesPerTurn: 1, uploadReadBytesPerSecondMin: 1 };
    const { rig, streaming } = rigWith(0, { limits });
    const { tiered } = streaming;
    rig.append(streaming, 20, batchBytes);
    await rig.pass(checkpointDueMs + 10_000);
    expect([tiered.isBeingCopied, tiered.cold.endOffset]).toEqual([true, undefined]);
    const beganMs = rig.clock.monotonicMs();
    await rig.run(rig.checkpointer.finish());
    expect(tiered.cold.endOffset).toBe(20);
    expect(rig.clock.monotonicMs() - beganMs).toBeLessThan(10);
  });

  it("goes on at full speed once the journal keeps much", async () => {
    const hurriedJournalBytesMin = 2 * smallLimits.leftJournalBytesMax;
    const slow = { uploadReadBytesPerTurn: 1, uploadReadBytesPerSecondMin: 1 };
    const limits = { ...smallLimits, ...slow, hurriedJournalBytesMin };
    const { rig, streaming: local } = rigWith(0, { limits });
    const { tiered } = local;
    const settings: TopicSettings = { ...local.settings, durability: "journal" };
    const journaled: TestOwner = { ...local, settings };
    rig.append(journaled, 20, batchBytes);
    await rig.pass(checkpointDueMs + 10_000);
    expect([tiered.isBeingCopied, tiered.cold.endOffset]).toEqual([true, undefined]);
    rig.append(journaled, Math.ceil(hurriedJournalBytesMin / batchBytes), batchBytes);
    await rig.pass(10);
    expect(tiered.cold.endOffset).toBeGreaterThanOrEqual(20);
  });

  it("leaves nothing at the end", async () => {
    const { others, rig, streaming } = rigWith(5, {});
    for (const each of others) rig.append(each, 1, 80);
    await stream(rig, streaming);
    expect(rig.checkpointer.dirtyPartitions).toBe(5);
    await rig.run(rig.checkpointer.finish());
    for (const { tiered } of others) expect(tiered.cold.endOffset).toBe(1);
    expect([rig.checkpointer.dirtyBytes, rig.checkpointer.dirtyPartitions]).toEqual([0, 0]);
  });
});

describe("what trickles into 200 partitions for four minutes, beside a stream", () => {
  const limits: TierLimits = checked({
    ...smallLimits,
    chunkBytes: 4_000,
    cachedBytesMax: 64_000,
    coldSegmentBytesMin: 20_000,
    coldSegmentBytesMax: 40_000,
    segmentsPerCommitMax: 64,
    checkpointBytesMax: 200_000,
    checkpointDueBytes: 40_000,
    leftTailBytesMax: 600_000,
    checkpointsMax: 64,
  });

  /** Bytes put for each that was produced. */
  async function amplification(bounds: Partial<TierLimits>): Promise<number> {
    const puts = new CountedPuts();
    const overObjects = (store: ObjectStore): ObjectStore => puts.over(store);
    const options = { limits: { ...limits, ...bounds }, segmentBytes: 1e6, overObjects };
    const { others, rig, streaming } = rigWith(200, options);
    for (let second = 0; second < 240; second += 1) {
      rig.append(streaming, 2, 5_000);
      for (const [i, each] of others.entries()) {
        if (i % 20 === second % 20) rig.append(each, 1, 800);
      }
      await rig.pass(1_000);
    }
    await rig.run(rig.checkpointer.finish());
    const owners = [streaming, ...others];
    return puts.bytes / owners.reduce((sum, { log }) => sum + log.bytesFrom(0), 0);
  }

  it("is put less than twice", async () => {
    const left = await amplification({});
    expect(left).toBeLessThan(2);
    // As it would be if each round took what there is.
    expect(await amplification({ leftTailBytesMax: 0 })).toBeGreaterThan(1.25 * left);
  });
});
