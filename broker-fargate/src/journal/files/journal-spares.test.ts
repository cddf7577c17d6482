import { DiskError } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { Rig, batchOf, readAllRecords, smallLimits, turn } from "../../partition/fixtures.ts";
import { journalDirectory } from "./journal-files.ts";
import type { PartitionOwner } from "../../partition/owner.ts";

const journal = { "millrace.durability": "journal" };
const padding = 6_000;

/** As many objects as fill so many files, all of one size, so that lives of a file lie alike. */
async function fill(rig: Rig, owner: PartitionOwner, options: { files: number; from: number }) {
  const perFile = Math.floor(rig.limits.journalFileBytes / 8192);
  const end = options.from + perFile * options.files;
  for (let value = options.from; value < end; value++) {
    const records = batchOf([value], { padding });
    await owner.append({ records, waitFor: "durable" });
  }
  return end;
}

function journalNames(rig: Rig): readonly string[] {
  const directory = journalDirectory(rig.cluster.incarnation);
  return rig.disk.list(directory);
}

async function values(rig: Rig, owner: PartitionOwner): Promise<readonly number[]> {
  const again = await rig.partitions.open(owner.topicId, owner.partition);
  return readAllRecords(again).map(({ value }) => value);
}

/** A rig whose syncs wait, while it is told to hold them. */
function heldRig(seed: number): {
  readonly rig: Rig;
  readonly held: (() => void)[];
  hold: boolean;
} {
  const held: (() => void)[] = [];
  const rigged = { rig: undefined as unknown as Rig, held, hold: false };
  rigged.rig = new Rig({
    seed,
    schedule: (run) => {
      if (rigged.hold) held.push(run);
      else queueMicrotask(run);
    },
  });
  return rigged;
}

const upTo = (end: number): readonly number[] => Array.from({ length: end }, (_, i) => i);

describe("trimmed journal files", () => {
  it("are left for later, and nothing fails, where they can't be renamed or deleted", async () => {
    const rig = await new Rig().start();
    const owner = await rig.partitions.open(await rig.createTopic("t", { configs: journal }), 0);
    const trimFiles = rig.limits.journalTrimBytes / rig.limits.journalFileBytes;
    const { disk } = rig;
    let refuses = true;
    const rename = disk.rename.bind(disk);
    const remove = disk.remove.bind(disk);
    const check = (path: string): void => {
      if (!refuses || !path.startsWith(journalDirectory(rig.cluster.incarnation))) return;
      throw new DiskError("io", { path, applied: "no" });
    };
    disk.rename = (from, to) => {
      check(from);
      rename(from, to);
    };
    disk.remove = (path) => {
      check(path);
      remove(path);
    };
    const end = await fill(rig, owner, { files: trimFiles + 1, from: 0 });
    await rig.pass(200_000);
    expect(rig.warnings.join()).toContain("could not be moved or deleted");
    const left = journalNames(rig).length;
    expect(left).toBeGreaterThan(trimFiles);
    refuses = false;
    await rig.pass(200_000);
    expect(journalNames(rig).length).toBeLessThan(left);
    expect(await values(rig, owner)).toEqual(upTo(end));
    expect(rig.failures).toEqual([]);
  });

  it("are written again: their space is neither given back nor reserved anew", async () => {
    const rig = await new Rig().start();
    const owner = await rig.partitions.open(await rig.createTopic("t", { configs: journal }), 0);
    const trimFiles = rig.limits.journalTrimBytes / rig.limits.journalFileBytes;
    let end = await fill(rig, owner, { files: trimFiles + 1, from: 0 });
    await rig.pass(1_000);
    const { allocatedBytes } = rig.partitions.journal;
    expect(journalNames(rig).filter((name) => name.endsWith(".spare"))).toHaveLength(trimFiles);
    for (let round = 0; round < 5; round++) {
      end = await fill(rig, owner, { files: trimFiles, from: end });
      await rig.pass(1_000);
      expect(rig.partitions.journal.allocatedBytes).toBe(allocatedBytes);
    }
    await rig.kill();
    expect(await values(rig, owner)).toEqual(upTo(end));
  });

  it("never pass objects of a former life for the journal's, wherever power is lost", async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const rigged = heldRig(seed);
      const rig = await rigged.rig.start();
      const topic = await rig.createTopic("t", { partitions: 2, configs: journal });
      const owner = await rig.partitions.open(topic, 0);
      // Written to in the former life alone: what is left of that would cut its log.
      const other = await rig.partitions.open(topic, 1);
      let end = 0;
      for (; end < 24; end++) {
        for (const some of [owner, other]) {
          await some.append({ records: batchOf([end], { padding }), waitFor: "durable" });
        }
      }
      await rig.pass(1_000);
      expect(journalNames(rig).join()).toContain(".spare");
      const more = await fill(rig, owner, { files: 1, from: end });
      for (end = more; end < more + (seed % 9); end++) {
        await owner.append({ records: batchOf([end], { padding }), waitFor: "durable" });
      }
      // On its way when the power goes: over the bytes of an object of the former life.
      rigged.hold = true;
      void owner.append({ records: batchOf([end], { padding }), waitFor: "durable" });
      await turn();
      rigged.hold = false;
      await rig.crash();
      const found = await values(rig, owner);
      expect(found.slice(0, end)).toEqual(upTo(end));
      expect(found.length - end).toBeLessThanOrEqual(1);
      expect(await values(rig, other)).toEqual(upTo(24));
    }
  });

  it("are deleted past the number that is worth keeping", async () => {
    const limits = { ...smallLimits, journalSpareFilesMax: 1 };
    const rig = await new Rig({ limits }).start();
    const owner = await rig.partitions.open(await rig.createTopic("t", { configs: journal }), 0);
    const end = await fill(rig, owner, { files: 4, from: 0 });
    await rig.pass(1_000);
    expect(journalNames(rig).filter((name) => name.endsWith(".spare"))).toHaveLength(1);
    expect(journalNames(rig)).toHaveLength(2);
    await rig.crash();
    expect(await values(rig, owner)).toEqual(upTo(end));
  });

  it("are not written before their new name is durable", async () => {
    const rigged = heldRig(1);
    const rig = await rigged.rig.start();
    const owner = await rig.partitions.open(await rig.createTopic("t", { configs: journal }), 0);
    let end = await fill(rig, owner, { files: 3, from: 0 });
    await owner.log.sync();
    rigged.hold = true;
    await rig.partitions.journal.advanceTrim(rig.partitions.journal.durableSeq);
    rigged.hold = false;
    const spares = journalNames(rig).filter((name) => name.endsWith(".spare"));
    expect(spares.length).toBeGreaterThan(0);
    end = await fill(rig, owner, { files: 1, from: end });
    expect(journalNames(rig).filter((name) => name.endsWith(".spare"))).toEqual(spares);
    for (const run of rigged.held.splice(0)) run();
    await turn();
    end = await fill(rig, owner, { files: 1, from: end });
    const left = journalNames(rig).filter((name) => name.endsWith(".spare"));
    expect(left.length).toBe(spares.length - 1);
    await rig.crash();
    expect(await values(rig, owner)).toEqual(upTo(end));
  });

  it("end the journal when their folder can't be synced", async () => {
    const rig = await new Rig().start();
    const owner = await rig.partitions.open(await rig.createTopic("t", { configs: journal }), 0);
    const end = await fill(rig, owner, { files: 3, from: 0 });
    const matches = (path: string): boolean => path.startsWith("journal/");
    rig.disk.failNext({ operation: "syncDirectory", matches });
    await rig.pass(1_000);
    const more = fill(rig, owner, { files: 1, from: end });
    await rig.pass(1_000);
    await more;
    expect(rig.partitions.journal.state).toBe("failed");
    expect(rig.failures).toHaveLength(1);
    await rig.crash();
    expect((await values(rig, owner)).slice(0, end)).toEqual(upTo(end));
  });
});
