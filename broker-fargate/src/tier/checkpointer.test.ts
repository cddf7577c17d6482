import type { MetadataStore, ObjectStore, Write } from "@millrace/core";
import { decodeCheckpointIndex, crc32c } from "@millrace/wire";
import { beforeEach, describe, expect, it } from "vitest";
import { CheckpointerRig, smallLimits, turn } from "./fixtures.ts";
import type { TestOwner } from "./fixtures.ts";
import { objectTriesMax } from "./limits.ts";

const { checkpointDueBytes, checkpointDueMs, checkpointRetryMs } = smallLimits;

/** Every put waits until the test lets it go; counts those under way. */
class SlowPuts {
  underWay = 0;
  most = 0;
  #waiting: (() => void)[] = [];
  isOpen = true;

  over(store: ObjectStore): ObjectStore {
    return Object.assign(Object.create(store) as ObjectStore, {
      readRange: store.readRange.bind(store),
      list: store.list.bind(store),
      delete: store.delete.bind(store),
      putIfAbsent: async (key: string, parts: readonly Uint8Array[]) => {
        this.underWay += 1;
        this.most = Math.max(this.most, this.underWay);
        if (this.isOpen) await new Promise((resolve) => setImmediate(resolve));
        else await new Promise<void>((resolve) => this.#waiting.push(resolve));
        this.underWay -= 1;
        return store.putIfAbsent(key, parts);
      },
    });
  }

  open(): void {
    this.isOpen = true;
    for (const go of this.#waiting.splice(0)) go();
  }
}

/** Notes the writes of every transaction. */
function watched(store: MetadataStore, seen: Write[][]): MetadataStore {
  return Object.assign(Object.create(store) as MetadataStore, {
    get: store.get.bind(store),
    range: store.range.bind(store),
    transact: (writes: readonly Write[]) => {
      seen.push([...writes]);
      return store.transact(writes);
    },
  });
}

describe("a checkpointer", () => {
  let rig: CheckpointerRig;
  let owner: TestOwner;

  beforeEach(() => {
    rig = new CheckpointerRig();
    owner = rig.owner(0);
  });

  /** As `0-5 5-9`, what the object store has. */
  function shown(of: TestOwner = owner): string {
    const parts = [...of.tiered.cold.parts()];
    return parts.map(({ baseOffset, nextOffset }) => `${baseOffset}-${nextOffset}`).join(" ");
  }

  it("begins a round when the oldest of what was appended is old enough", async () => {
    rig.append(owner, 1);
    await rig.pass(checkpointDueMs - 1);
    rig.append(owner, 1);
    expect(shown()).toBe("");
    await rig.pass(1);
    expect(shown()).toBe("0-2");
    expect(rig.checkpointer.dirtyPartitions).toBe(0);
    expect(rig.clock.pendingTimers).toBe(0);
  });

  it("begins a round at once when enough bytes have come together", async () => {
    rig.append(owner, checkpointDueBytes / 200);
    await rig.pass(0);
    const end = owner.log.endOffset;
    expect(owner.tiered.cold.endOffset).toBe(end);
    expect(rig.checkpointer.dirtyBytes).toBe(0);
  });

  it("makes cold segments of a large tail, and what was packed of it is superseded", async () => {
    rig.append(owner, 3);
    await rig.pass(checkpointDueMs);
    expect([owner.tiered.cold.packed.length, rig.keys("data").length]).toEqual([1, 0]);
    rig.append(owner, 20);
    await rig.pass(checkpointDueMs);
    const { cold } = owner.tiered;
    expect([cold.startOffset, cold.endOffset, cold.packed.length]).toEqual([0, 23, 0]);
    const { coldSegmentBytesMax } = smallLimits;
    for (const { batchesBytes } of cold.segments) {
      // It ends with the batch that brings it there.
      expect(batchesBytes).toBeLessThan(coldSegmentBytesMax + 200);
    }
    expect(cold.segments.length).toBe(Math.ceil(cold.batchesBytes / coldSegmentBytesMax));
    expect(await rig.manifest.segments(owner.tiered.at)).toEqual(cold.segments);
    await rig.pass(checkpointDueMs);
    // Nothing of the first pack is named any more; its section is rewritten without it.
    expect(rig.keys("checkpoint")).toHaveLength(1);
  });

  it("packs a trickle into few parts, and its objects stay few", async () => {
    for (let round = 0; round < 40; round += 1) {
      rig.append(owner, 1, 80);
      await rig.pass(checkpointDueMs);
      expect(owner.tiered.cold.endOffset).toBe(owner.log.endOffset);
      expect(owner.tiered.cold.packed.length).toBeLessThanOrEqual(8);
      expect(rig.keys("checkpoint").length).toBeLessThanOrEqual(9);
    }
  });

  it("tries again after a pause when the object store failed, and has lost nothing", async () => {
    rig.append(owner, 1);
    rig.objectFaults.plan("put", ...Array(objectTriesMax).fill("slowDown"));
    await rig.pass(checkpointDueMs);
    while (rig.warnings.length === 0) await rig.pass(1);
    expect(rig.warnings).toEqual(["a checkpoint could not be written"]);
    await rig.pass(checkpointRetryMs - 2);
    expect(shown()).toBe("");
    await rig.pass(2);
    expect(shown()).toBe("0-1");
    expect(rig.covered.filter((line) => line === "end 0")).toHaveLength(1);
  });

  it("pauses longer with each failure, but no longer than between rounds", async () => {
    rig.append(owner, 1);
    rig.objectFaults.rates = { perThousand: { slowDown: 1_000 } };
    await rig.pass(checkpointDueMs);
    const failedMs: number[] = [];
    while (failedMs.length < 6) {
      await rig.pass(100);
      if (rig.warnings.length > failedMs.length) failedMs.push(rig.clock.monotonicMs());
    }
    // A try takes some time itself, until it gives up.
    const pauses = failedMs.slice(1).map((ms, i) => ms - (failedMs[i] ?? 0));
    const tryMsMax = 20_000;
    for (const [i, pause] of pauses.entries()) {
      const expected = Math.min(checkpointRetryMs * 2 ** i, checkpointDueMs);
      expect(pause).toBeGreaterThanOrEqual(expected);
      expect(pause).toBeLessThan(expected + tryMsMax);
    }
    rig.objectFaults.rates = { perThousand: {} };
    await rig.pass(checkpointDueMs);
    expect(shown()).toBe("0-1");
  });

  it("counts a partition as covered when it is, and not when it failed", async () => {
    const other = rig.owner(1);
    rig.append(owner, 20);
    rig.append(other, 1);
    // The cold segment's, tried until it gives up; the checkpoint of the other one is stored.
    rig.objectFaults.plan("put", ...Array(objectTriesMax).fill("slowDown"));
    await rig.pass(checkpointDueMs + 40_000);
    expect(rig.covered).toContain("end 1");
    expect(shown(other)).toBe("0-1");
    const before = rig.covered.indexOf("end 0");
    expect(before === -1 || before > rig.covered.indexOf("end 1")).toBe(true);
    await rig.pass(checkpointDueMs);
    expect(rig.covered).toContain("end 0");
  });

  it("has a bounded number of uploads of segments under way", async () => {
    const puts = new SlowPuts();
    rig = new CheckpointerRig({ overObjects: (store) => puts.over(store) });
    const owners = Array.from({ length: 7 }, (_, partition) => rig.owner(partition));
    for (const each of owners) rig.append(each, 20);
    await rig.pass(checkpointDueMs);
    for (let i = 0; i < 50; i += 1) await turn();
    expect(puts.most).toBe(smallLimits.uploadsInFlightMax);
    for (const each of owners) expect(each.tiered.cold.endOffset).toBe(20);
  });

  it("names a bounded number of segments in a transaction, the others in further ones", async () => {
    const seen: Write[][] = [];
    rig = new CheckpointerRig({ overMetadata: (store) => watched(store, seen) });
    owner = rig.owner(0);
    rig.append(owner, 100);
    await rig.pass(checkpointDueMs);
    expect(owner.tiered.cold.endOffset).toBe(100);
    const puts = seen.map((writes) => writes.filter(({ kind }) => kind === "put").length);
    expect(Math.max(...puts)).toBe(smallLimits.segmentsPerCommitMax);
    expect(puts.length).toBeGreaterThan(2);
    expect(await rig.manifest.segments(owner.tiered.at)).toEqual(owner.tiered.cold.segments);
  });

  it("writes checkpoints of a bounded size, as many as it takes", async () => {
    const owners = Array.from({ length: 12 }, (_, partition) =>
      rig.owner(partition, partition % 3),
    );
    for (const each of owners) rig.append(each, 3);
    await rig.pass(checkpointDueMs);
    expect(rig.registered.length).toBeGreaterThan(2);
    for (const { bytes, number } of rig.registered) {
      const key = rig.keys("checkpoint").find((name) => name.endsWith(`${number}`)) ?? "";
      const object = rig.memory.bytesOf(key);
      if (object === undefined) continue;
      const decoded = decodeCheckpointIndex(object, { objectBytes: bytes, crc32c });
      if (decoded.kind !== "ok") throw new Error(decoded.kind);
      expect(decoded.index.footer.imagesBytes).toBeLessThanOrEqual(smallLimits.checkpointBytesMax);
    }
    for (const each of owners) expect(shown(each)).toBe("0-3");
  });

  it("keeps a bounded number of checkpoints: what the oldest hold moves", async () => {
    const owners: TestOwner[] = [];
    for (let partition = 1; partition <= 12; partition += 1) {
      const each = rig.owner(partition);
      owners.push(each);
      rig.append(each, 1);
      await rig.pass(checkpointDueMs);
      expect(rig.keys("checkpoint").length).toBeLessThanOrEqual(smallLimits.checkpointsMax + 1);
    }
    expect([...rig.writer.checkpoints()][0]?.number ?? -1).toBeGreaterThan(0);
    for (const each of owners) {
      expect(shown(each)).toBe("0-1");
      expect(rig.keys("checkpoint")).toContain(each.tiered.cold.packed[0]?.object);
    }
  });

  it("leaves a tail that no longer exists, and takes what is there now", async () => {
    const puts = new SlowPuts();
    puts.isOpen = false;
    rig = new CheckpointerRig({ overObjects: (store) => puts.over(store) });
    owner = rig.owner(0);
    rig.append(owner, 40);
    await rig.pass(checkpointDueMs);
    expect(puts.underWay).toBe(1);
    owner.log.advanceStartOffset(38);
    puts.open();
    await rig.pass(checkpointRetryMs);
    expect(owner.tiered.cold.endOffset).toBe(40);
    expect(owner.tiered.cold.find(38)?.nextOffset).toBe(40);
    for (const { object } of owner.tiered.cold.segments) {
      expect(rig.memory.keys).toContain(object);
    }
  });

  it("deletes the objects of a commit that was not made", async () => {
    rig.append(owner, 20);
    rig.metadataFaults.plan(...Array(7).fill("requestLost"));
    await rig.pass(checkpointDueMs + checkpointRetryMs - 1);
    expect(rig.keys("data")).toEqual([]);
    await rig.pass(60_000);
    expect(owner.tiered.cold.endOffset).toBe(20);
    expect(rig.keys("data")).toHaveLength(owner.tiered.cold.segments.length);
  });

  it("counts the segments of a commit that was made and never answered", async () => {
    rig.append(owner, 20);
    rig.metadataFaults.plan(...Array(7).fill("replyLost"));
    await rig.pass(checkpointDueMs + 3_000);
    // Another cut of the same tail would leave items between its own.
    rig.append(owner, 25);
    await rig.pass(60_000);
    expect(owner.tiered.cold.endOffset).toBe(45);
    expect(await rig.manifest.segments(owner.tiered.at)).toEqual(owner.tiered.cold.segments);
    expect(rig.keys("data")).toHaveLength(owner.tiered.cold.segments.length);
  });

  it("deletes no object of a commit that is made later than it was looked for", async () => {
    rig.append(owner, 20);
    rig.metadataFaults.plan(...Array(7).fill("lateEffect"));
    rig.metadataFaults.rates = { perThousand: {}, lateMsMax: 100_000 };
    await rig.pass(checkpointDueMs + 200_000);
    expect(rig.metadataFaults.counts.lateEffect).toBe(7);
    expect(owner.tiered.cold.endOffset).toBe(20);
    expect(await rig.manifest.segments(owner.tiered.at)).toEqual(owner.tiered.cold.segments);
    expect(rig.keys("data")).toHaveLength(owner.tiered.cold.segments.length);
  });

  it("stores nothing while it can't find out what became of a commit", async () => {
    rig.append(owner, 20);
    rig.metadataFaults.plan(...Array(7).fill("replyLost"));
    // The manifest can't be read either.
    rig.metadataFaults.rates = { perThousand: { throttled: 1_000 } };
    await rig.pass(checkpointDueMs + 30_000);
    rig.metadataFaults.rates = { perThousand: {} };
    rig.append(owner, 25);
    await rig.pass(60_000);
    expect(owner.tiered.cold.endOffset).toBe(45);
    expect(await rig.manifest.segments(owner.tiered.at)).toEqual(owner.tiered.cold.segments);
    expect(rig.keys("data")).toHaveLength(owner.tiered.cold.segments.length);
  });

  it("takes nothing of a partition that is over, and calls it covered neither", async () => {
    rig.append(owner, 3);
    owner.isOver = true;
    await rig.pass(2 * checkpointDueMs);
    expect(shown()).toBe("");
    expect(rig.covered).toEqual([]);
    expect(rig.clock.pendingTimers).toBe(0);
  });

  it("forgets a partition, when nothing works on it any more", async () => {
    const puts = new SlowPuts();
    puts.isOpen = false;
    rig = new CheckpointerRig({ overObjects: (store) => puts.over(store) });
    owner = rig.owner(0);
    rig.append(owner, 3);
    await rig.pass(checkpointDueMs);
    let isForgotten = false;
    owner.isOver = true;
    const forgotten = rig.checkpointer.forget(owner).then(() => {
      isForgotten = true;
    });
    await rig.pass(0);
    expect([puts.underWay, isForgotten]).toEqual([1, false]);
    puts.open();
    await rig.run(forgotten);
    expect(rig.checkpointer.dirtyPartitions).toBe(0);
  });

  it("takes everything at the end, and no more after it", async () => {
    rig.append(owner, 3);
    await rig.run(rig.checkpointer.finish());
    expect(shown()).toBe("0-3");
    rig.append(owner, 3);
    await rig.pass(2 * checkpointDueMs);
    expect(shown()).toBe("0-3");
    expect(rig.clock.pendingTimers).toBe(0);
  });

  it("ends though the store does not answer, with one try", async () => {
    rig.append(owner, 3);
    rig.objectFaults.rates = { perThousand: { slowDown: 1_000 } };
    await rig.run(rig.checkpointer.finish());
    expect(shown()).toBe("");
    expect(rig.covered).toEqual(["begin 0"]);
  });

  it("writes a section at the end that changed since the last round", async () => {
    rig.append(owner, 3);
    await rig.pass(checkpointDueMs);
    await owner.tiered.cutStart(3);
    await rig.run(rig.checkpointer.finish());
    expect(rig.registered).toHaveLength(2);
    expect(owner.tiered.packs.isChanged).toBe(false);
    expect(rig.keys("checkpoint")).toHaveLength(1);
  });
});
