import { keys, type ObjectStore } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { FencedError } from "../../cluster/slot-claims.ts";
import { closeJournal } from "./fence.ts";
import { createItem, incarnation, JournalRig, keyOf, numbersIn, turn } from "../fixtures.ts";
import { JournalObjectMissingError } from "./journal-errors.ts";

/** A rig with ten durable objects, and what it asked the store to delete. */
async function tenObjects(): Promise<{ rig: JournalRig; deletions: string[][] }> {
  const deletions: string[][] = [];
  const wrap = (store: ObjectStore): ObjectStore =>
    Object.assign(Object.create(store) as ObjectStore, {
      putIfAbsent: store.putIfAbsent.bind(store),
      readRange: store.readRange.bind(store),
      delete: (names: readonly string[]) => {
        deletions.push([...names]);
        return store.delete(names);
      },
    });
  const rig = new JournalRig({ wrap });
  await createItem(rig.metadata);
  for (let number = 0; number < 10; number++) {
    rig.append(number);
    await rig.pass(100);
  }
  return { rig, deletions };
}

async function recordedTrim(rig: JournalRig): Promise<unknown> {
  return (await rig.metadata.get(keys.incarnation(incarnation)))?.value["trim"];
}

describe("the trim of a journal of objects", () => {
  it("is recorded first; then objects go upwards, some in a request, one after another", async () => {
    const { deletions, rig } = await tenObjects();
    let underWay = 0;
    const wasRecorded: unknown[] = [];
    const inner = rig.faults.delete.bind(rig.faults);
    rig.faults.delete = async (names) => {
      expect(underWay++).toBe(0);
      wasRecorded.push(await recordedTrim(rig));
      await inner(names);
      underWay--;
    };
    await rig.journal.advanceTrim(3);
    await rig.journal.advanceTrim(7);
    await rig.journal.trimmed();
    expect(deletions.flat()).toEqual([0, 1, 2, 3, 4, 5, 6].map(keyOf));
    expect(deletions.every(({ length }) => length <= 2)).toBe(true);
    for (const [i, names] of deletions.entries()) {
      const last = Number(names.at(-1)?.slice(-20));
      expect(last).toBeLessThan(Number(wasRecorded[i]));
    }
    expect(rig.memory.keys).toEqual([7, 8, 9].map(keyOf));
    expect([rig.journal.trim, await recordedTrim(rig)]).toEqual([7, 7]);
    expect(rig.journal.untrimmedBytes).toBe(rig.memory.usedBytes);
  });

  it("leaves no gap while deletions fail, and takes them up again", async () => {
    const { rig } = await tenObjects();
    rig.faults.rates = { perThousand: { slowDown: 500, requestLost: 300 }, slowMsMax: 100 };
    await rig.journal.advanceTrim(9);
    for (let second = 0; second < 200; second++) {
      await rig.pass(1_000);
      const [first] = rig.memory.keys;
      const from = Number(first?.slice(-20));
      expect(rig.memory.keys).toEqual(Array.from({ length: 10 - from }, (_, i) => keyOf(from + i)));
    }
    await rig.journal.trimmed();
    expect(rig.memory.keys).toEqual([keyOf(9)]);
  });

  it("tries a deletion again after a pause when all its tries failed", async () => {
    const { rig } = await tenObjects();
    rig.faults.rates = { perThousand: { slowDown: 1000 } };
    await rig.journal.advanceTrim(9);
    await rig.pass(600_000);
    expect(rig.warnings.length).toBeGreaterThan(10);
    expect(rig.warnings.length).toBeLessThan(61);
    rig.faults.rates = { perThousand: {} };
    await rig.pass(20_000);
    expect(rig.memory.keys).toEqual([keyOf(9)]);
  });

  it("stays where it is when it can't be recorded, and moves with the next try", async () => {
    const { deletions, rig } = await tenObjects();
    const { recordTrim } = rig;
    rig.recordTrim = () => Promise.reject(new Error("the metadata store is away"));
    await expect(rig.journal.advanceTrim(4)).rejects.toThrow("away");
    expect([rig.journal.trim, deletions]).toEqual([0, []]);
    rig.recordTrim = recordTrim;
    await rig.journal.advanceTrim(4);
    expect(rig.journal.trim).toBe(4);
  });

  it("is recorded in order when it is moved twice at once, and never goes back", async () => {
    const { rig } = await tenObjects();
    const recorded: number[] = [];
    const { recordTrim } = rig;
    rig.recordTrim = async (trim) => {
      if (trim === 3) await turn();
      recorded.push(trim);
      await recordTrim(trim);
    };
    await Promise.all([3, 8, 5].map((seq) => rig.journal.advanceTrim(seq)));
    expect(recorded).toEqual([3, 8]);
    expect([rig.journal.trim, await recordedTrim(rig)]).toEqual([8, 8]);
  });

  it("that is refused, since the journal is closing, ends the incarnation; nothing goes", async () => {
    const { deletions, rig } = await tenObjects();
    const closed = await closeJournal(rig.fenceDeps(), { incarnation, durable: 0 });
    expect(closed).toEqual({ trim: 0, end: 10, checkpoint: undefined });
    await rig.journal.advanceTrim(4);
    expect(rig.journal.state).toBe("over");
    expect(rig.over[0]).toBeInstanceOf(FencedError);
    expect(deletions).toEqual([]);
  });

  it("covers what a crash between its record and the deletions left", async () => {
    const { rig } = await tenObjects();
    rig.faults.plan("delete", "slowDown");
    await rig.journal.advanceTrim(6);
    rig.journal.close();
    expect(rig.memory.keys.length).toBe(10);
    const numbers: number[] = [];
    const closed = await closeJournal(rig.fenceDeps(), {
      incarnation,
      durable: 10,
      onObject: (found) => void numbers.push(...numbersIn(found)),
    });
    expect(closed).toEqual({ trim: 6, end: 10, checkpoint: undefined });
    expect(numbers).toEqual([6, 7, 8, 9]);
  });

  it("that deletes what it has not recorded is found by the next reader", async () => {
    const { rig } = await tenObjects();
    rig.recordTrim = () => Promise.resolve();
    await rig.journal.advanceTrim(4);
    await rig.journal.trimmed();
    const onObject = (): void => undefined;
    const closing = closeJournal(rig.fenceDeps(), { incarnation, durable: 10, onObject });
    await expect(closing).rejects.toBeInstanceOf(JournalObjectMissingError);
  });
});
