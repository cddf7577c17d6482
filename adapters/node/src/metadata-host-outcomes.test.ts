import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LmdbItems } from "./lmdb-items.ts";
import { WriteOutcomes } from "./metadata-host-outcomes.ts";

let folder = "";
let items: LmdbItems;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "millrace-outcomes-"));
  items = LmdbItems.open(folder);
});

afterEach(async () => {
  await items.close();
  await rm(folder, { recursive: true, force: true });
});

const idOf = (n: number): string => n.toString(16).padStart(32, "0");

async function apply(outcomes: WriteOutcomes, writeId: string): Promise<void> {
  let number = 0;
  await items.transact([], (notes) => {
    number = outcomes.note(writeId, notes);
  });
  outcomes.committed(writeId, number);
}

describe("the outcomes of writes", () => {
  it("are known to the next process", async () => {
    const outcomes = new WriteOutcomes(items, 10);
    for (const n of [1, 2, 3]) await apply(outcomes, idOf(n));
    await items.close();
    items = LmdbItems.open(folder);
    const again = new WriteOutcomes(items, 10);
    expect([1, 2, 3, 4].map((n) => again.has(idOf(n)))).toEqual([true, true, true, false]);
    expect(again.at).toBe(outcomes.at);
    expect(again.mayHaveForgotten(outcomes.at)).toBe(false);
    expect(again.mayHaveForgotten(1)).toBe(false);
  });

  it("are forgotten from the oldest on, and it is known from where on none is", async () => {
    const outcomes = new WriteOutcomes(items, 3);
    const since: number[] = [];
    for (let n = 0; n < 8; n += 1) {
      since.push(outcomes.at);
      await apply(outcomes, idOf(n));
    }
    for (const known of [outcomes, new WriteOutcomes(items, 3)]) {
      expect(known.size).toBe(3);
      expect([4, 5, 6, 7].map((n) => known.has(idOf(n)))).toEqual([false, true, true, true]);
      // A write that was first sent then would be here, had it been applied.
      const forgotten = since.map((at) => known.mayHaveForgotten(at));
      expect(forgotten).toEqual([true, true, true, true, true, false, false, false]);
    }
    expect([...items.notes()]).toHaveLength(3);
  });

  it("of a former process that kept more go until there are as few as may be", async () => {
    const former = new WriteOutcomes(items, 100);
    for (let n = 0; n < 100; n += 1) await apply(former, idOf(n));
    const outcomes = new WriteOutcomes(items, 3);
    for (let n = 100; n < 103; n += 1) await apply(outcomes, idOf(n));
    expect(outcomes.size).toBe(3);
    expect([...items.notes()]).toHaveLength(3);
  });

  it("that another database numbered are not known", () => {
    expect(new WriteOutcomes(items, 3).mayHaveForgotten(1)).toBe(false);
    expect(new WriteOutcomes(items, 3).mayHaveForgotten(2)).toBe(true);
  });

  it("that are not committed are not counted, because a crash gives their numbers out again", async () => {
    const outcomes = new WriteOutcomes(items, 10);
    await apply(outcomes, idOf(1));
    const before = outcomes.at;
    outcomes.note(idOf(2), { put: () => undefined, remove: () => undefined });
    expect(outcomes.at).toBe(before);
    expect(new WriteOutcomes(items, 10).at).toBe(before);
  });

  it("of commits that failed are those that the database has", async () => {
    const outcomes = new WriteOutcomes(items, 10);
    let kept = 0;
    await items.transact([], (notes) => {
      kept = outcomes.note(idOf(1), notes);
    });
    outcomes.failed(idOf(1), kept);
    outcomes.failed(idOf(2), kept + 1);
    expect([outcomes.has(idOf(1)), outcomes.has(idOf(2))]).toEqual([true, false]);
  });

  it("are beside the items, where no key finds them", async () => {
    const outcomes = new WriteOutcomes(items, 10);
    await apply(outcomes, idOf(1));
    await items.transact([{ kind: "put", key: "~/~", json: Buffer.from("{}") }]);
    const page = items.range({ from: "~/", to: "~0", limit: 10 });
    expect(page.items.map(({ key }) => key)).toEqual(["~/~"]);
  });
});
