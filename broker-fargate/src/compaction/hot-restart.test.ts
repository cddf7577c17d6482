import { describe, expect, test } from "vitest";
import { partitionDirectory, segmentPath } from "../partition/log-opener.ts";
import type { PartitionOwner } from "../partition/owner.ts";
import { CleanerRig, partsOf, recordsOf } from "./fixtures.ts";

/** A tiered log whose compacted segments begin at 0, 6 and 12: the first ends in a gap, the second is one. */
class Restarts {
  readonly #kit: CleanerRig;
  readonly #place: { readonly topicId: PartitionOwner["topicId"]; readonly partition: 0 };

  private constructor(kit: CleanerRig, topicId: PartitionOwner["topicId"]) {
    this.#kit = kit;
    this.#place = { topicId, partition: 0 };
  }

  static async compacted(): Promise<Restarts> {
    const kit = await CleanerRig.start(1, "tiered");
    const restarts = new Restarts(kit, await kit.createTopic("t"));
    const owner = await restarts.open();
    for (const key of ["a", "b", "c", "c", "c", "c", "c", "c", "c", "d"]) {
      await kit.append(owner, key, `${owner.highWatermark}`);
    }
    await kit.settle();
    await kit.clean();
    if (owner.tiered?.cold.endOffset !== owner.highWatermark) throw new Error("it is not tiered");
    return restarts;
  }

  open(): Promise<PartitionOwner> {
    return this.#kit.rig.partitions.open(this.#place.topicId, 0);
  }

  async restart(how: "ended" | "killed"): Promise<PartitionOwner> {
    if (how === "ended") await this.#kit.rig.partitions.close();
    await this.#kit.rig.kill();
    return this.open();
  }

  /** Ended, and started again after the segment, or the file of that name, was lost. */
  async restartWithout(name: string | number): Promise<PartitionOwner> {
    await this.#kit.rig.partitions.close();
    const { disk } = this.#kit.rig;
    if (typeof name === "number") disk.remove(segmentPath(this.#place, name));
    else disk.remove(`${partitionDirectory(this.#place)}/${name}`);
    await this.#kit.rig.kill();
    return this.open();
  }

  /** Of both tiers. */
  async readAll(owner: PartitionOwner): Promise<readonly string[]> {
    const how = { maxBytes: 1, isolation: "uncommitted", atLeastOneBatch: true } as const;
    for (let from = 0; from < owner.log.localStartOffset; from++) {
      const read = owner.read({ ...how, from });
      if (read.kind === "pending") await Promise.all([read.ready, this.#kit.rig.pass(1)]);
    }
    return recordsOf(owner);
  }
}

/** The last value of each key, as offset and value. */
function lastOf(records: readonly string[]): readonly string[] {
  return [...new Map(records.map((record) => [partsOf(record)[0], record])).values()];
}

const survivors = ["0:a=0", "2:b=2", "16:c=16", "18:d=18"];

function basesOf({ log }: PartitionOwner): readonly number[] {
  return log.compaction.segments().map(({ baseOffset }) => baseOffset);
}

describe("a tiered log that was compacted", () => {
  test.each(["ended", "killed"] as const)(
    "is on the disk as it was after its broker was %s, whatever gaps its segments end in",
    async (how) => {
      const restarts = await Restarts.compacted();
      const before = await restarts.open();
      expect(basesOf(before)).toEqual([0, 6, 12, 18]);
      expect(recordsOf(before)).toEqual(survivors);
      for (let life = 0; life < 2; life++) {
        const owner = await restarts.restart(how);
        expect(owner.log.localStartOffset).toBe(0);
        expect(basesOf(owner)).toEqual([0, 6, 12, 18]);
        expect(recordsOf(owner)).toEqual(survivors);
      }
    },
  );

  test.each([
    ["its first file", 0, 6],
    ["one that follows a gap", 12, 18],
    ["what tells of its gaps", "compacted-gaps", 12],
  ])("is read from the object store where it lacks %s", async (_, name, localStart) => {
    const restarts = await Restarts.compacted();
    const owner = await restarts.restartWithout(name);
    expect(owner.log.logStartOffset).toBe(0);
    expect(owner.log.localStartOffset).toBe(localStart);
    expect(lastOf(await restarts.readAll(owner))).toEqual(survivors);
  });

  test("needs no file in which nothing was left", async () => {
    const restarts = await Restarts.compacted();
    const owner = await restarts.restartWithout(6);
    expect(basesOf(owner)).toEqual([0, 12, 18]);
    expect(owner.log.localStartOffset).toBe(0);
    expect(recordsOf(owner)).toEqual(survivors);
  });
});
