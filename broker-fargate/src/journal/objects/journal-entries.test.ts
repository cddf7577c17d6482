import { epoch, slot } from "@millrace/core";
import { crc32c } from "@millrace/wire";
import { beforeEach, describe, expect, it } from "vitest";
import { cluster, incarnation, JournalRig, keyOf, topic } from "../fixtures.ts";
import { JournalObjectDamagedError, JournalObjectMissingError } from "./journal-errors.ts";
import { readJournalEntries, type ReplayedEntry, type WantedEntries } from "./journal-entries.ts";
import type { SeqRange } from "./read-objects.ts";

let rig: JournalRig;

/** Four objects; entries of even numbers are of epoch 5, those of odd ones of epoch 6. */
beforeEach(async () => {
  rig = new JournalRig();
  for (let seq = 0; seq < 4; seq++) {
    for (const number of [2 * seq, 2 * seq + 1]) rig.append(number);
    await rig.pass(100);
  }
});

async function entries(
  range: SeqRange,
  isWanted: WantedEntries = () => true,
): Promise<readonly ReplayedEntry[]> {
  const { limits, objects } = rig;
  const found: ReplayedEntry[] = [];
  const reads = { objects, crc32c, cluster, incarnation, limits };
  for await (const entry of readJournalEntries(reads, range, isWanted)) found.push(entry);
  return found;
}

describe("the entries of a closed journal", () => {
  it("come in the order of the appends, with their bytes, from the range alone", async () => {
    const found = await entries({ first: 1, end: 3 });
    expect(found.map(({ baseOffset, seq }) => [baseOffset, seq])).toEqual([
      [2, 1],
      [3, 1],
      [4, 2],
      [5, 2],
    ]);
    expect(found[0]).toEqual({
      ...{ kind: "records", topicId: topic, partition: 0, slot: slot(3), epoch: epoch(5) },
      ...{ baseOffset: 2, lastOffset: 2, seq: 1 },
      records: new Uint8Array(20).fill(2),
    });
    expect(await entries({ first: 2, end: 2 })).toEqual([]);
  });

  it("are those of the wanted slot and epoch", async () => {
    const all = { first: 0, end: 4 };
    const found = await entries(all, (of) => of.epoch === 6 && of.slot === 3);
    expect(found.map(({ baseOffset }) => baseOffset)).toEqual([1, 3, 5, 7]);
    expect(await entries(all, (of) => of.slot === 4)).toEqual([]);
  });

  it("are not given past an object that is missing, damaged or another seq's", async () => {
    rig.faults.lose(keyOf(2));
    await expect(entries({ first: 0, end: 4 })).rejects.toBeInstanceOf(JournalObjectMissingError);
    rig.faults.findLost();
    rig.memory.flipBit(keyOf(2), 100 * 8);
    await expect(entries({ first: 0, end: 4 })).rejects.toBeInstanceOf(JournalObjectDamagedError);
    await rig.memory.delete([keyOf(2)]);
    await rig.memory.putIfAbsent(keyOf(2), [rig.memory.bytesOf(keyOf(1)) ?? new Uint8Array()]);
    await expect(entries({ first: 0, end: 4 })).rejects.toThrow("another seq");
  });
});
