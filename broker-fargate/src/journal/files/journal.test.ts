import { describe, expect, it } from "vitest";
import type { AppendResult } from "../../partition/append.ts";
import type { PartitionOwner } from "../../partition/owner.ts";
import { Rig, batchOf, offsetOf, readAllRecords, turn } from "../../partition/fixtures.ts";

const pageBytes = 4096;
const journal = { "millrace.durability": "journal" };

/** A rig whose syncs wait until they are let go, one by one. */
function heldRig(): { readonly rig: Rig; readonly syncs: (() => void)[]; hold: boolean } {
  const syncs: (() => void)[] = [];
  const held = { rig: undefined as unknown as Rig, syncs, hold: false };
  held.rig = new Rig({
    schedule: (run) => {
      if (held.hold) syncs.push(run);
      else queueMicrotask(run);
    },
  });
  return held;
}

function durable(owner: PartitionOwner, records: Uint8Array): Promise<AppendResult> {
  return owner.append({ records, waitFor: "durable" });
}

/** What has settled so far, in the order in which it did. */
function watch(promises: readonly Promise<AppendResult>[]): number[] {
  const settled: number[] = [];
  promises.forEach((promise, i) => void promise.then(() => settled.push(i)));
  return settled;
}

async function letGo(syncs: (() => void)[]): Promise<void> {
  for (const run of syncs.splice(0)) run();
  await turn();
}

describe("a partition under journal durability", () => {
  it("answers and shows a record only when the journal's sync has completed", async () => {
    const held = heldRig();
    const { rig, syncs } = held;
    await rig.start();
    const owner = await rig.partitions.open(await rig.createTopic("t", { configs: journal }), 0);
    held.hold = true;
    const settled = watch([durable(owner, batchOf([1]))]);
    await turn();
    expect(settled).toEqual([]);
    expect(owner.highWatermark).toBe(0);
    expect(rig.disk.paths().filter((path) => path.startsWith("partitions/"))).toEqual([]);
    while (syncs.length > 0) await letGo(syncs);
    expect(settled).toEqual([0]);
    expect(owner.highWatermark).toBe(1);
  });

  it("answers acks=1 when it has given the offset, before anybody can read it", async () => {
    const held = heldRig();
    const { rig, syncs } = held;
    await rig.start();
    const owner = await rig.partitions.open(await rig.createTopic("t", { configs: journal }), 0);
    held.hold = true;
    const result = await owner.append({ records: batchOf([1]), waitFor: "appended" });
    expect(offsetOf(result)).toBe(0);
    expect(owner.highWatermark).toBe(0);
    expect(owner.read(wholeRange)).toMatchObject({ kind: "ok", records: [] });
    while (syncs.length > 0) await letGo(syncs);
    expect(owner.highWatermark).toBe(1);
  });

  it("collects what comes during a sync into one next commit, and answers in order", async () => {
    const held = heldRig();
    const { rig, syncs } = held;
    await rig.start();
    const topic = await rig.createTopic("t", { partitions: 2, configs: journal });
    const a = await rig.partitions.open(topic, 0);
    const b = await rig.partitions.open(topic, 1);
    held.hold = true;
    const first = [durable(a, batchOf([1])), durable(b, batchOf([2]))];
    await turn();
    expect(rig.partitions.journal.nextSeq).toBe(1);
    const second = [durable(a, batchOf([3])), durable(b, batchOf([4])), durable(a, batchOf([5]))];
    const settled = watch([...first, ...second]);
    await turn();
    expect(rig.partitions.journal.nextSeq).toBe(1);
    while (rig.partitions.journal.nextSeq === 1) await letGo(syncs);
    expect(settled).toEqual([0, 1]);
    expect(rig.partitions.journal.nextSeq).toBe(2);
    while (settled.length < 5) await letGo(syncs);
    expect(settled).toEqual([0, 1, 2, 3, 4]);
  });

  it("closes a commit before it is larger than an object may be; a larger append is one of its own", async () => {
    const held = heldRig();
    const { rig, syncs } = held;
    await rig.start();
    const owner = await rig.partitions.open(await rig.createTopic("t", { configs: journal }), 0);
    held.hold = true;
    const first = durable(owner, batchOf([0]));
    await turn();
    const written = rig.partitions.journal;
    const large = batchOf([2], { padding: rig.limits.journalObjectBytes });
    const seqs = [written.nextSeq];
    const next = [batchOf([1]), large, batchOf([3])].map((batch) => durable(owner, batch));
    const answers = [first, ...next];
    const settled = watch(answers);
    while (settled.length < answers.length) {
      await letGo(syncs);
      if (written.nextSeq !== seqs.at(-1)) seqs.push(written.nextSeq);
    }
    expect((await Promise.all(answers)).map(offsetOf)).toEqual([0, 1, 2, 3]);
    // Before it, it alone, and after it.
    expect(seqs).toEqual([1, 2, 3, 4]);
  });

  it("holds back a duplicate's and a refused batch's reply until what they reveal is durable", async () => {
    const held = heldRig();
    const { rig, syncs } = held;
    await rig.start();
    const owner = await rig.partitions.open(await rig.createTopic("t", { configs: journal }), 0);
    held.hold = true;
    const records = (): Uint8Array => batchOf([1], { id: 3 });
    const answers = [
      durable(owner, records()),
      durable(owner, records()),
      durable(owner, batchOf([9], { id: 3, sequence: 5 })),
    ];
    const settled = watch(answers);
    await turn();
    expect(settled).toEqual([]);
    while (syncs.length > 0) await letGo(syncs);
    expect(settled).toEqual([0, 1, 2]);
    const kinds = (await Promise.all(answers)).map((answer) =>
      answer.kind === "refused" ? answer.reason : answer.kind,
    );
    expect(kinds).toEqual(["appended", "duplicate", "outOfOrderSequence"]);
  });

  it("keeps acknowledged records over a loss of power, with nothing but the journal synced", async () => {
    const rig = await new Rig({ seed: 5 }).start();
    const topic = await rig.createTopic("t", { partitions: 5, configs: journal });
    for (let i = 0; i < 40; i++) {
      await durable(await rig.partitions.open(topic, i % 5), batchOf([i]));
    }
    await rig.crash();
    for (let p = 0; p < 5; p++) {
      const owner = await rig.partitions.open(topic, p);
      const values = readAllRecords(owner).map(({ value }) => value);
      expect(values).toEqual([0, 5, 10, 15, 20, 25, 30, 35].map((value) => value + p));
      expect(owner.log.isDirty).toBe(false);
    }
    const journals = rig.disk.paths().filter((path) => path.startsWith("journal/"));
    expect(journals).toEqual([]);
  });

  it("survives the ruin of every page that a write under way had touched", async () => {
    const held = heldRig();
    const { rig } = held;
    await rig.start();
    const owner = await rig.partitions.open(await rig.createTopic("t", { configs: journal }), 0);
    for (let i = 0; i < 3; i++) await durable(owner, batchOf([i], { padding: 1500 * i }));
    held.hold = true;
    void durable(owner, batchOf([3]));
    await turn();
    const [path = ""] = rig.disk.paths().filter((name) => name.startsWith("journal/"));
    const from = Math.floor(rig.disk.syncedTo(path) / pageBytes) * pageBytes;
    for (let at = from; at < from + pageBytes; at++) rig.disk.flipBit(path, at * 8);
    held.hold = false;
    await rig.kill();
    const again = await rig.partitions.open(owner.topicId, 0);
    expect(readAllRecords(again).map(({ value }) => value)).toEqual([0, 1, 2]);
  });

  it("replays records below a start that was moved past them, with other logs in between", async () => {
    const rig = await new Rig().start();
    const topic = await rig.createTopic("t", { partitions: 3, configs: journal });
    for (let i = 0; i < 30; i++) {
      await durable(await rig.partitions.open(topic, i % 3), batchOf([i]));
    }
    const owner = await rig.partitions.open(topic, 0);
    expect(await owner.deleteRecordsBefore(8)).toMatchObject({ kind: "ok", logStartOffset: 8 });
    await rig.crash();
    const again = await rig.partitions.open(topic, 0);
    expect(readAllRecords(again).map(({ value }) => value)).toEqual([24, 27]);
  });

  it("skips what the journal holds of a topic that was deleted", async () => {
    const rig = await new Rig().start();
    const gone = await rig.createTopic("gone", { configs: journal });
    const kept = await rig.createTopic("kept", { configs: journal });
    await durable(await rig.partitions.open(gone, 0), batchOf([1]));
    await durable(await rig.partitions.open(kept, 0), batchOf([2]));
    await rig.cluster.deleteTopic("gone");
    await rig.crash();
    expect(rig.disk.paths().some((path) => path.includes(gone))).toBe(false);
    expect(readAllRecords(await rig.partitions.open(kept, 0))).toEqual([{ offset: 0, value: 2 }]);
  });

  it("refuses appends that wait when the topic is deleted", async () => {
    const held = heldRig();
    const { rig, syncs } = held;
    await rig.start();
    const topic = await rig.createTopic("t", { configs: journal });
    const owner = await rig.partitions.open(topic, 0);
    held.hold = true;
    const waiting = durable(owner, batchOf([1]));
    await turn();
    await rig.cluster.deleteTopic("t");
    expect(await waiting).toMatchObject({ reason: "notLeader" });
    held.hold = false;
    while (syncs.length > 0) await letGo(syncs);
    await turn();
    expect(rig.disk.paths().some((path) => path.includes(topic))).toBe(false);
  });

  it("ends at a failed sync: nothing is acknowledged, all is refused, a restart replays", async () => {
    const rig = await new Rig().start();
    const topic = await rig.createTopic("t", { configs: journal });
    const owner = await rig.partitions.open(topic, 0);
    await durable(owner, batchOf([1]));
    rig.disk.failNext({ operation: "sync", matches: (path) => path.startsWith("journal/") });
    expect(await durable(owner, batchOf([2]))).toMatchObject({ reason: "diskFailed" });
    expect(rig.failures.length).toBe(1);
    expect(owner.highWatermark).toBe(1);
    expect(await durable(owner, batchOf([3]))).toMatchObject({ reason: "diskFailed" });
    const other = await rig.partitions.open(await rig.createTopic("u", { configs: journal }), 0);
    expect(await durable(other, batchOf([4]))).toMatchObject({ reason: "diskFailed" });
    expect(rig.partitions.journal.state).toBe("failed");
    await rig.kill();
    const again = await rig.partitions.open(topic, 0);
    expect(readAllRecords(again)[0]).toEqual({ offset: 0, value: 1 });
    await durable(again, batchOf([5]));
    expect(readAllRecords(again).at(-1)?.value).toBe(5);
  });

  it("refuses while the disk is full, loses nothing it took, and goes on when there is room", async () => {
    const rig = await new Rig().start();
    const topic = await rig.createTopic("t", { configs: journal });
    const owner = await rig.partitions.open(topic, 0);
    rig.disk.setCapacity(1000);
    const first = durable(owner, batchOf([1], { id: 4 }));
    expect(await first).toMatchObject({ reason: "diskFull" });
    expect(await durable(owner, batchOf([2]))).toMatchObject({ reason: "diskFull" });
    rig.disk.setCapacity(1 << 30);
    await rig.pass(rig.limits.diskRetryMs);
    expect(rig.failures).toEqual([]);
    expect(await durable(owner, batchOf([1], { id: 4 }))).toMatchObject({
      kind: "duplicate",
      baseOffset: 0,
    });
    expect(offsetOf(await durable(owner, batchOf([2])))).toBe(1);
  });

  it("keeps journaled records that find no room in the log, and writes them when there is", async () => {
    const rig = await new Rig().start();
    const topic = await rig.createTopic("t", { configs: journal });
    const owner = await rig.partitions.open(topic, 0);
    await durable(owner, batchOf([1]));
    rig.disk.setCapacity(rig.disk.usedBytes + 10);
    expect(await durable(owner, batchOf([2]))).toMatchObject({ reason: "diskFull" });
    expect(await durable(owner, batchOf([3]))).toMatchObject({ reason: "diskFull" });
    expect(owner.highWatermark).toBe(1);
    rig.disk.setCapacity(1 << 30);
    await rig.pass(rig.limits.diskRetryMs + rig.limits.dutyPauseMs);
    expect(readAllRecords(owner).map(({ value }) => value)).toEqual([1, 2]);
    await rig.crash();
    const again = await rig.partitions.open(topic, 0);
    expect(readAllRecords(again).map(({ value }) => value)).toEqual([1, 2]);
  });

  it("waits for room in a full journal, then refuses by name; every taken record is kept", async () => {
    const rig = await new Rig().start();
    const topic = await rig.createTopic("t", { partitions: 4, configs: journal });
    const answers: Promise<AppendResult>[] = [];
    for (let i = 0; i < 200; i++) {
      const owner = await rig.partitions.open(topic, i % 4);
      answers.push(durable(owner, batchOf([i], { padding: 5000 })));
    }
    const settled = watch(answers);
    await turn();
    // No duty has run yet: what is over the bound waits.
    expect(settled.length).toBeGreaterThan(50);
    expect(settled.length).toBeLessThan(100);
    expect(rig.partitions.journal.untrimmedBytes).toBeLessThan(rig.limits.journalBytesMax + 99999);
    await rig.pass(30_000);
    const results = await Promise.all(answers);
    expect(results.every((result) => result.kind === "appended")).toBe(true);
    expect(rig.partitions.journal.untrimmedBytes).toBeLessThan(rig.limits.journalBytesMax);
    rig.disk.failNext({ operation: "sync", matches: (path) => path.startsWith("part"), times: 9 });
    let refusal: AppendResult | undefined;
    for (let i = 0; i < 200 && refusal?.kind !== "refused"; i++) {
      const waiting = durable(
        await rig.partitions.open(topic, i % 4),
        batchOf([i], { padding: 9000 }),
      );
      await rig.pass(rig.limits.appendWaitMsMax + 1000);
      refusal = await waiting;
    }
    expect(refusal?.kind).toBe("refused");
  });

  it("is bounded in size and replay by an hour of load", async () => {
    const rig = await new Rig().start();
    const topic = await rig.createTopic("t", { partitions: 6, configs: journal });
    let worst = 0;
    const value = { next: 0 };
    for (let minute = 0; minute < 60; minute++) {
      for (let i = 0; i < 30; i++) {
        const owner = await rig.partitions.open(topic, i % 6);
        await durable(owner, batchOf([value.next++], { padding: 3000 }));
        await rig.pass(2000);
        worst = Math.max(worst, rig.partitions.journal.allocatedBytes);
      }
    }
    const { journalFileBytes, journalTrimBytes } = rig.limits;
    expect(worst).toBeLessThanOrEqual(journalTrimBytes + 3 * journalFileBytes);
    rig.warnings.length = 0;
    await rig.crash();
    const replayed = /replayed.*"bytes":([0-9]+)/.exec(rig.warnings.join("\n"));
    expect(Number(replayed?.[1] ?? 0)).toBeLessThanOrEqual(2 * journalTrimBytes);
    let count = 0;
    for (let p = 0; p < 6; p++) {
      count += readAllRecords(await rig.partitions.open(topic, p)).length;
    }
    expect(count).toBe(value.next);
  });

  it("gives an idle journal's files back, and sets no timer after that", async () => {
    const rig = await new Rig().start();
    const owner = await rig.partitions.open(await rig.createTopic("t", { configs: journal }), 0);
    await durable(owner, batchOf([1]));
    expect(rig.partitions.journal.allocatedBytes).toBe(rig.limits.journalGrowBytes);
    await rig.pass(5 * rig.limits.journalTrimAgeMs);
    expect(rig.partitions.journal.allocatedBytes).toBe(0);
    expect(rig.clock.pendingTimers).toBe(0);
    await durable(owner, batchOf([2]));
    await rig.crash();
    const again = await rig.partitions.open(owner.topicId, 0);
    expect(readAllRecords(again).map(({ value }) => value)).toEqual([1, 2]);
  });

  it("closes so cleanly that the next start replays nothing", async () => {
    const rig = await new Rig().start();
    const owner = await rig.partitions.open(await rig.createTopic("t", { configs: journal }), 0);
    const last = durable(owner, batchOf([1]));
    await rig.partitions.close();
    expect((await last).kind).toBe("appended");
    expect(rig.disk.paths().filter((path) => path.startsWith("journal/"))).toEqual([]);
    rig.warnings.length = 0;
    await rig.crash();
    expect(rig.warnings).toEqual([]);
    expect(readAllRecords(await rig.partitions.open(owner.topicId, 0)).length).toBe(1);
  });

  it("does not start when an object that others follow is damaged", async () => {
    const rig = await new Rig().start();
    const owner = await rig.partitions.open(await rig.createTopic("t", { configs: journal }), 0);
    for (let i = 0; i < 3; i++) await durable(owner, batchOf([i]));
    const [path] = rig.disk.paths().filter((name) => name.startsWith("journal/"));
    if (path === undefined) throw new Error("no journal");
    rig.disk.flipBit(path, 8 * 4096 + 900);
    await expect(rig.kill()).rejects.toThrow("object 1 is damaged, and object 2 follows it");
  });

  it("does not start when a journal file is missing between others", async () => {
    const rig = await new Rig().start();
    const owner = await rig.partitions.open(await rig.createTopic("t", { configs: journal }), 0);
    for (let i = 0; i < 20; i++) await durable(owner, batchOf([i], { padding: 6000 }));
    const files = rig.disk.paths().filter((name) => name.startsWith("journal/"));
    expect(files.length).toBeGreaterThan(2);
    rig.disk.remove(files[1] ?? "");
    await expect(rig.kill()).rejects.toThrow("is missing");
  });
});

const wholeRange = {
  from: 0,
  maxBytes: 9999,
  isolation: "uncommitted",
  atLeastOneBatch: true,
} as const;
