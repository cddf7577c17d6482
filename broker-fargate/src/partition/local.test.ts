import { describe, expect, it } from "vitest";
import { Rig, batchOf, offsetOf, readAllRecords, turn } from "./fixtures.ts";

const local = { "millrace.durability": "local" };

describe("a partition under local durability", () => {
  it("gives offsets in order and shows them at once", async () => {
    const rig = await new Rig().start();
    const topic = await rig.createTopic("t", { configs: local });
    const owner = await rig.partitions.open(topic, 0);
    const first = owner.append({ records: batchOf([1, 2]), waitFor: "durable" });
    const second = owner.append({ records: batchOf([3]), waitFor: "durable" });
    expect([offsetOf(await first), offsetOf(await second)]).toEqual([0, 2]);
    expect(owner.highWatermark).toBe(3);
    expect(readAllRecords(owner).map(({ value }) => value)).toEqual([1, 2, 3]);
  });

  it("is decided within the call once the partition is marked dirty", async () => {
    const rig = await new Rig().start();
    const topic = await rig.createTopic("t", { configs: local });
    const owner = await rig.partitions.open(topic, 0);
    const first = owner.append({ records: batchOf([1]), waitFor: "durable" });
    expect(owner.highWatermark).toBe(0);
    await first;
    void owner.append({ records: batchOf([2]), waitFor: "durable" });
    expect(owner.highWatermark).toBe(2);
  });

  it("holds no file, item or timer while nobody touched it, nor after it was only read", async () => {
    const rig = await new Rig().start();
    const topic = await rig.createTopic("t", { partitions: 3, configs: local });
    await rig.partitions.open(topic, 1);
    expect(rig.disk.paths()).toEqual([]);
    expect(rig.clock.pendingTimers).toBe(0);
    expect(rig.partitions.find(topic, 0)).toBeUndefined();
  });

  it("keeps every acknowledged record over the death of the process", async () => {
    const rig = await new Rig().start();
    const topic = await rig.createTopic("t", { configs: local });
    const owner = await rig.partitions.open(topic, 0);
    for (let i = 0; i < 20; i++) await owner.append({ records: batchOf([i]), waitFor: "durable" });
    await rig.kill();
    const again = await rig.partitions.open(topic, 0);
    expect(readAllRecords(again).map(({ value }) => value)).toEqual([...Array(20).keys()]);
    expect(again.leaderEpoch).toBeGreaterThan(owner.leaderEpoch);
  });

  it("is served after a death once its records are durable; what else a sync does waits for an idle moment", async () => {
    const rig = await new Rig().start();
    const topic = await rig.createTopic("t", { configs: local });
    const owner = await rig.partitions.open(topic, 0);
    await owner.append({ records: batchOf([1]), waitFor: "durable" });
    await rig.kill();
    const again = await rig.partitions.open(topic, 0);
    const folder = `partitions/${topic}-0`;
    expect(again.mark.isMarked).toBe(true);
    expect(rig.disk.list(folder)).not.toContain("leader-epochs");
    await rig.crash();
    const third = await rig.partitions.open(topic, 0);
    expect(readAllRecords(third)).toEqual([{ offset: 0, value: 1 }]);
    await rig.pass(rig.limits.idleSyncMs + rig.limits.dutyPauseMs);
    expect(third.mark.isMarked).toBe(false);
    expect(rig.disk.list(folder)).toContain("leader-epochs");
  });

  it("is synced and taken off the dirty list when idle, and then needs no timer", async () => {
    const rig = await new Rig().start();
    const topic = await rig.createTopic("t", { configs: local });
    const owner = await rig.partitions.open(topic, 0);
    await owner.append({ records: batchOf([1]), waitFor: "durable" });
    expect(owner.mark.isMarked).toBe(true);
    expect(owner.log.isDirty).toBe(true);
    await rig.pass(rig.limits.idleSyncMs + rig.limits.dutyPauseMs);
    expect(owner.mark.isMarked).toBe(false);
    expect(owner.log.isDirty).toBe(false);
    expect(rig.clock.pendingTimers).toBe(0);
    await rig.crash();
    expect(readAllRecords(await rig.partitions.open(topic, 0))).toEqual([{ offset: 0, value: 1 }]);
  });

  it("stays on the dirty list when an append comes while it is being synced", async () => {
    const syncs: (() => void)[] = [];
    const held = { hold: false };
    const rig = new Rig({
      schedule: (run) => void (held.hold ? syncs.push(run) : queueMicrotask(run)),
    });
    await rig.start();
    const topic = await rig.createTopic("t", { configs: local });
    const owner = await rig.partitions.open(topic, 0);
    await owner.append({ records: batchOf([1]), waitFor: "durable" });
    held.hold = true;
    await rig.pass(rig.limits.idleSyncMs + rig.limits.dutyPauseMs);
    expect(syncs.length).toBeGreaterThan(0);
    await owner.append({ records: batchOf([2]), waitFor: "durable" });
    held.hold = false;
    for (const run of syncs.splice(0)) run();
    await turn();
    await turn();
    expect(owner.mark.isMarked).toBe(true);
    const mark = rig.store.items().find(({ key }) => key.includes("/dirty/"));
    expect(mark?.value["recoveryPoint"]).toBe(1);
    await rig.pass(2 * rig.limits.idleSyncMs);
    expect(owner.mark.isMarked).toBe(false);
  });

  it("is synced after flush.ms, and before the reply that reaches flush.messages", async () => {
    const rig = await new Rig().start();
    const byTime = await rig.createTopic("a", { configs: { ...local, "flush.ms": "1000" } });
    const byCount = await rig.createTopic("b", { configs: { ...local, "flush.messages": "2" } });
    const first = await rig.partitions.open(byTime, 0);
    await first.append({ records: batchOf([1]), waitFor: "durable" });
    await rig.pass(900);
    expect(first.log.recoveryPoint).toBe(0);
    await rig.pass(200);
    expect(first.log.recoveryPoint).toBe(1);
    const second = await rig.partitions.open(byCount, 0);
    await second.append({ records: batchOf([1]), waitFor: "durable" });
    expect(second.log.recoveryPoint).toBe(0);
    await second.append({ records: batchOf([2]), waitFor: "durable" });
    expect(second.log.recoveryPoint).toBe(2);
  });

  it("refuses appends to a full disk, keeps what it acknowledged, and goes on with room", async () => {
    const rig = await new Rig().start();
    const topic = await rig.createTopic("t", { configs: local });
    const owner = await rig.partitions.open(topic, 0);
    await owner.append({ records: batchOf([1], { id: 7 }), waitFor: "durable" });
    rig.disk.setCapacity(rig.disk.usedBytes + 20);
    const records = (): Uint8Array => batchOf([2], { id: 7, sequence: 1 });
    const full = await owner.append({ records: records(), waitFor: "durable" });
    expect(full).toMatchObject({ kind: "refused", reason: "diskFull" });
    expect(owner.highWatermark).toBe(1);
    rig.disk.setCapacity(1 << 30);
    expect(offsetOf(await owner.append({ records: records(), waitFor: "durable" }))).toBe(1);
    await rig.kill();
    const values = readAllRecords(await rig.partitions.open(topic, 0)).map(({ value }) => value);
    expect(values).toEqual([1, 2]);
  });

  it("takes no appends after a failed sync, until a restart", async () => {
    const rig = await new Rig().start();
    const topic = await rig.createTopic("t", { configs: local });
    const owner = await rig.partitions.open(topic, 0);
    await owner.append({ records: batchOf([1]), waitFor: "durable" });
    rig.disk.failNext({ operation: "sync", matches: (path) => path.startsWith("partitions/") });
    await rig.pass(rig.limits.idleSyncMs + 1000);
    expect(rig.failures.length).toBe(1);
    expect(await owner.append({ records: batchOf([2]), waitFor: "durable" })).toMatchObject({
      reason: "diskFailed",
    });
    expect(readAllRecords(owner).length).toBe(1);
    await rig.kill();
    const again = await rig.partitions.open(topic, 0);
    expect(offsetOf(await again.append({ records: batchOf([2]), waitFor: "durable" }))).toBe(1);
  });

  it("closes so cleanly that nothing is dirty, and a loss of power takes nothing", async () => {
    const rig = await new Rig().start();
    const topic = await rig.createTopic("t", { configs: local });
    const owner = await rig.partitions.open(topic, 0);
    await owner.append({ records: batchOf([1]), waitFor: "durable" });
    await rig.partitions.close();
    expect(await owner.append({ records: batchOf([2]), waitFor: "durable" })).toMatchObject({
      reason: "notLeader",
    });
    expect(rig.clock.pendingTimers).toBe(0);
    await rig.crash();
    const again = await rig.partitions.open(topic, 0);
    expect(again.mark.isMarked).toBe(false);
    expect(readAllRecords(again)).toEqual([{ offset: 0, value: 1 }]);
  });

  it("of a deleted topic refuses what waits, and leaves neither files nor items", async () => {
    const rig = await new Rig().start();
    const topic = await rig.createTopic("t", { configs: local });
    const owner = await rig.partitions.open(topic, 0);
    await owner.append({ records: batchOf([1]), waitFor: "durable" });
    let woken = 0;
    owner.onAdvance(() => woken++);
    await rig.cluster.deleteTopic("t");
    await turn();
    await turn();
    expect(woken).toBe(1);
    expect(rig.disk.paths()).toEqual([]);
    expect(rig.store.items().filter(({ key }) => key.startsWith("slot/"))).toHaveLength(1);
    expect(await rig.cluster.pendingDeletions()).toEqual([]);
    await expect(rig.partitions.open(topic, 0)).rejects.toThrow("does not exist");
  });

  it("wakes long polls when the high watermark moves", async () => {
    const rig = await new Rig().start();
    const topic = await rig.createTopic("t", { configs: local });
    const owner = await rig.partitions.open(topic, 0);
    const seen: number[] = [];
    const stop = owner.onAdvance(() => seen.push(owner.highWatermark));
    await owner.append({ records: batchOf([1]), waitFor: "durable" });
    stop();
    await owner.append({ records: batchOf([2]), waitFor: "durable" });
    expect(seen).toEqual([1]);
  });

  it("answers a repeated batch with the offsets of the first", async () => {
    const rig = await new Rig().start();
    const topic = await rig.createTopic("t", { configs: local });
    const owner = await rig.partitions.open(topic, 0);
    const records = (): Uint8Array => batchOf([5, 6], { id: 9 });
    await owner.append({ records: records(), waitFor: "durable" });
    expect(await owner.append({ records: records(), waitFor: "durable" })).toMatchObject({
      kind: "duplicate",
      baseOffset: 0,
      lastOffset: 1,
    });
    expect(owner.highWatermark).toBe(2);
  });

  it("tells under which epoch an offset was appended, and where an epoch ended", async () => {
    const rig = await new Rig().start();
    const topic = await rig.createTopic("t", { configs: local });
    const first = await rig.partitions.open(topic, 0);
    expect(first.epochAt(0)).toBe(first.leaderEpoch);
    await first.append({ records: batchOf([1, 2]), waitFor: "durable" });
    await rig.kill();
    const second = await rig.partitions.open(topic, 0);
    await second.append({ records: batchOf([3]), waitFor: "durable" });
    expect([0, 1, 2, 3].map((offset) => second.epochAt(offset))).toEqual([
      first.leaderEpoch,
      first.leaderEpoch,
      second.leaderEpoch,
      second.leaderEpoch,
    ]);
    expect(second.endOffsetFor(first.leaderEpoch)).toEqual({
      epoch: first.leaderEpoch,
      endOffset: 2,
    });
    expect(second.endOffsetFor(second.leaderEpoch).endOffset).toBe(3);
    expect(second.endOffsetFor(second.leaderEpoch + 1)).toEqual({ epoch: -1, endOffset: -1 });
  });

  it("keeps the start that DeleteRecords moved, over a loss of power", async () => {
    const rig = await new Rig().start();
    const topic = await rig.createTopic("t", { configs: { "millrace.durability": "journal" } });
    const owner = await rig.partitions.open(topic, 0);
    for (let i = 0; i < 4; i++) await owner.append({ records: batchOf([i]), waitFor: "durable" });
    expect(await owner.deleteRecordsBefore(5)).toEqual({ kind: "outOfRange" });
    expect(await owner.deleteRecordsBefore(3)).toEqual({ kind: "ok", logStartOffset: 3 });
    await rig.crash();
    const again = await rig.partitions.open(topic, 0);
    expect(again.logStartOffset).toBe(3);
    expect(readAllRecords(again)).toEqual([{ offset: 3, value: 3 }]);
  });

  it("stays offline after a recovery that could not be synced, until a restart", async () => {
    const rig = await new Rig().start();
    const topic = await rig.createTopic("t", { configs: local });
    const owner = await rig.partitions.open(topic, 0);
    await owner.append({ records: batchOf([1]), waitFor: "durable" });
    await rig.kill();
    rig.disk.failNext({ operation: "sync", matches: (path) => path.endsWith(".log") });
    for (const _ of [1, 2]) {
      await expect(rig.partitions.open(topic, 0)).rejects.toMatchObject({ reason: "io" });
    }
    expect(rig.failures.length).toBe(1);
    await rig.kill();
    const again = await rig.partitions.open(topic, 0);
    expect(readAllRecords(again)).toEqual([{ offset: 0, value: 1 }]);
  });

  it("never stores a start below one that it has deleted up to", async () => {
    const rig = await new Rig().start();
    const small = { "segment.index.bytes": "12", "index.interval.bytes": "0" };
    const owner = await rig.partitions.open(await rig.createTopic("t", { configs: small }), 0);
    for (let i = 0; i < 9; i++) await owner.append({ records: batchOf([i]), waitFor: "durable" });
    await Promise.all([7, 2].map((offset) => owner.deleteRecordsBefore(offset)));
    expect(owner.logStartOffset).toBe(7);
    await rig.kill();
    const again = await rig.partitions.open(owner.topicId, 0);
    expect(readAllRecords(again).map(({ value }) => value)).toEqual([7, 8]);
  });

  it("stores records in the topic's codec, whatever the producer used", async () => {
    const rig = await new Rig().start();
    const configs = { ...local, "compression.type": "lz4" };
    const owner = await rig.partitions.open(await rig.createTopic("t", { configs }), 0);
    const sent = batchOf([1, 2, 3], { id: 5, padding: 400 });
    await owner.append({ records: sent.slice(), waitFor: "durable" });
    expect(owner.sizeBytes).toBeLessThan(sent.length / 2);
    expect(readAllRecords(owner).map(({ value }) => value)).toEqual([1, 2, 3]);
    expect((await owner.append({ records: sent, waitFor: "durable" })).kind).toBe("duplicate");
  });

  it("refuses what a decision refuses, by its reason", async () => {
    const rig = await new Rig().start();
    const owner = await rig.partitions.open(await rig.createTopic("t", { configs: local }), 0);
    const records = batchOf([1]);
    records[30] = 1;
    const corrupt = await owner.append({ records, waitFor: "durable" });
    expect(corrupt).toMatchObject({ kind: "refused", reason: "corruptMessage" });
    const empty = await owner.append({ records: new Uint8Array(0), waitFor: "durable" });
    expect(empty).toMatchObject({ kind: "refused", reason: "invalidRecord" });
    expect(owner.highWatermark).toBe(0);
  });
});
