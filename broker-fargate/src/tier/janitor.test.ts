import { epoch, keys, slot } from "@millrace/core";
import type { Epoch, IncarnationId, Write } from "@millrace/core";
import { beforeEach, describe, expect, it } from "vitest";
import { JournalItems } from "../journal/files/journal-item.ts";
import {
  CheckpointerRig,
  clusterId,
  formerIncarnation,
  incarnation,
  partOf,
  smallLimits,
  topic,
} from "./fixtures.ts";
import { Janitor } from "./janitor.ts";
import { checkpointKey, segmentKey } from "./object-keys.ts";

const { firstSweepMs, sweepEveryMs } = smallLimits;
const nothing = { segments: 0, checkpoints: 0 };

describe("the janitor", () => {
  let rig: CheckpointerRig;
  let janitor: Janitor;
  let epochs: Map<number, Epoch>;

  beforeEach(() => {
    rig = new CheckpointerRig();
    epochs = new Map([[0, epoch(1)]]);
    const { clock, manifest, metadata: store, objects, random } = rig;
    janitor = new Janitor({
      ...{ clock, objects, manifest, clusterId, slots: 2, limits: smallLimits },
      journalItems: new JournalItems({ store, clock, random }),
      epochOf: async (of) => epochs.get(of),
      warn: (what) => void rig.warnings.push(what),
    });
  });

  function segment(baseOffset: number, atEpoch = 1, inSlot = 0): string {
    const nonce = "0123456789abcdef";
    const name = { topicId: topic, partition: 0, baseOffset, slot: inSlot, epoch: atEpoch, nonce };
    return segmentKey(clusterId, name);
  }

  async function put(...objects: readonly string[]): Promise<void> {
    for (const key of objects) await rig.memory.putIfAbsent(key, [new Uint8Array(3)]);
  }

  async function close(of: IncarnationId): Promise<void> {
    const checkpoint = { number: 0, bytes: 3 };
    const value = { state: "closed", trim: 0, checkpoint };
    await transact({ kind: "put", key: keys.incarnation(of), value });
  }

  async function transact(write: Write): Promise<void> {
    await rig.metadata.transact([write]);
  }

  it("leaves a segment of the present epoch, named or not, until the epoch is over", async () => {
    await put(segment(0), segment(10));
    const { tiered } = rig.owner(0);
    const named = partOf({ baseOffset: 0, nextOffset: 10, object: segment(0) });
    await rig.manifest.add(tiered.at, [named]);
    expect(await rig.run(janitor.sweep())).toEqual(nothing);
    epochs.set(0, epoch(2));
    expect(await rig.run(janitor.sweep())).toEqual({ segments: 1, checkpoints: 0 });
    expect(rig.keys("data")).toEqual([segment(0)]);
  });

  it("deletes an older object of a base offset that the manifest names another one for", async () => {
    await put(segment(0, 1), segment(0, 2));
    const { tiered } = rig.owner(0);
    const named = partOf({ baseOffset: 0, nextOffset: 10, object: segment(0, 2) });
    await rig.manifest.add(tiered.at, [named]);
    epochs.set(0, epoch(3));
    expect(await rig.run(janitor.sweep())).toEqual({ segments: 1, checkpoints: 0 });
    expect(rig.keys("data")).toEqual([segment(0, 2)]);
  });

  it("leaves what it does not know: other keys, and slots without a head", async () => {
    const others = [`${clusterId}/data/readme`, segment(0, 1, 1), `other/data/x`];
    await put(...others);
    expect(await rig.run(janitor.sweep())).toEqual(nothing);
    expect(rig.memory.keys).toEqual(others.toSorted());
  });

  it("deletes the checkpoints of an incarnation that no slot's head names, and its item", async () => {
    const kept = checkpointKey(clusterId, incarnation, 0);
    const gone = [0, 1].map((number) => checkpointKey(clusterId, formerIncarnation, number));
    await put(kept, ...gone);
    await close(formerIncarnation);
    await close(incarnation);
    const sources = [{ incarnation, epoch: 1 }];
    const head = { owner: null, epoch: 2, sources };
    await transact({ kind: "put", key: keys.head(slot(1)), value: head });
    expect(await rig.run(janitor.sweep())).toEqual({ segments: 0, checkpoints: 2 });
    expect(rig.keys("checkpoint")).toEqual([kept]);
    expect(await rig.metadata.get(keys.incarnation(formerIncarnation))).toBeUndefined();
    expect(await rig.metadata.get(keys.incarnation(incarnation))).toBeDefined();
    expect(await rig.run(janitor.sweep())).toEqual(nothing);
  });

  it("deletes a checkpoint that its incarnation did not live to register", async () => {
    await put(checkpointKey(clusterId, formerIncarnation, 0));
    const value = { state: "closed", trim: 0 };
    await transact({ kind: "put", key: keys.incarnation(formerIncarnation), value });
    const own = { state: "open", trim: 0 };
    await transact({ kind: "put", key: keys.incarnation(incarnation), value: own });
    const kept = checkpointKey(clusterId, incarnation, 0);
    await put(kept);
    expect(await rig.run(janitor.sweep())).toEqual({ segments: 0, checkpoints: 1 });
    expect(rig.keys("checkpoint")).toEqual([kept]);
  });

  it("stops at a store that does not answer, and comes back", async () => {
    await put(segment(0));
    epochs.set(0, epoch(2));
    rig.objectFaults.rates = { perThousand: { slowDown: 1_000 } };
    expect(await rig.run(janitor.sweep())).toEqual(nothing);
    expect(rig.warnings).toHaveLength(1);
    rig.objectFaults.rates = { perThousand: {} };
    expect(await rig.run(janitor.sweep())).toEqual({ segments: 1, checkpoints: 0 });
  });

  it("sweeps some time after a start, and then now and then", async () => {
    epochs.set(0, epoch(2));
    janitor.sweepSoon();
    await put(segment(0));
    await rig.pass(firstSweepMs - 1);
    expect(rig.keys("data")).toHaveLength(1);
    await rig.pass(1);
    expect(rig.keys("data")).toHaveLength(0);
    await put(segment(1));
    await rig.pass(sweepEveryMs - 1);
    expect(rig.keys("data")).toHaveLength(1);
    await rig.pass(1);
    expect(rig.keys("data")).toHaveLength(0);
  });

  it("sweeps sooner when it is asked to, and never again once it is closed", async () => {
    epochs.set(0, epoch(2));
    janitor.sweepSoon();
    await rig.pass(firstSweepMs);
    await put(segment(0));
    janitor.sweepSoon();
    await rig.pass(firstSweepMs);
    expect(rig.keys("data")).toHaveLength(0);
    await janitor.close();
    await put(segment(1));
    janitor.sweepSoon();
    await rig.pass(2 * sweepEveryMs);
    expect(rig.keys("data")).toHaveLength(1);
  });

  it("comes back soon for what was asked while it swept", async () => {
    epochs.set(0, epoch(2));
    rig.objectFaults.rates = { perThousand: {}, latencyMsMax: 1_000 };
    janitor.sweepSoon();
    await put(segment(0));
    await rig.pass(firstSweepMs);
    // It has seen all that there is, and has not been told yet that the deletion is done.
    while (rig.keys("data").length > 0) await rig.pass(1);
    await put(segment(1));
    janitor.sweepSoon();
    await rig.pass(firstSweepMs + 10_000);
    expect(rig.keys("data")).toHaveLength(0);
  });
});
