import type { TopicId } from "@millrace/core";
import { describe, expect, test } from "vitest";
import { DirtyMark } from "./dirty-mark.ts";
import type { MarkedPartition, PartitionItems } from "./partition-items.ts";

/** Items whose writes end, well or not, when the test says so. */
class HeldItems {
  readonly #held: { readonly done: () => void; readonly fail: (error: Error) => void }[] = [];

  readonly items = {
    putDirty: () => this.#hold(),
    removeDirty: () => this.#hold(),
  } as unknown as PartitionItems;

  async end(how: "done" | "failed"): Promise<void> {
    const held = this.#held.shift();
    if (how === "done") held?.done();
    else held?.fail(new Error("no answer"));
    await new Promise((resolve) => setImmediate(resolve));
  }

  #hold(): Promise<void> {
    return new Promise((done, fail) => this.#held.push({ done, fail }));
  }
}

function markOf(held: HeldItems, isListed = false): DirtyMark {
  const at = { topicId: "t" as TopicId, partition: 0 } as MarkedPartition;
  const deps = { items: held.items, onMarked: () => undefined, onFailed: () => undefined };
  return new DirtyMark({ ...at, isListed }, deps);
}

describe("the lowest offset that the next start may verify from", () => {
  test("is that of the mark from the moment on in which it may be stored", async () => {
    const held = new HeldItems();
    const mark = markOf(held);
    expect(mark.recoveryPoint).toBe(Number.POSITIVE_INFINITY);
    mark.ensure(10);
    expect(mark.recoveryPoint).toBe(10);
    await held.end("done");
    expect([mark.isMarked, mark.recoveryPoint]).toEqual([true, 10]);
  });

  test("rises when the store has moved the mark, and not before", async () => {
    const held = new HeldItems();
    const mark = markOf(held, true);
    expect(mark.recoveryPoint).toBe(0);
    const moving = mark.move(20);
    expect(mark.recoveryPoint).toBe(0);
    await held.end("done");
    await moving;
    expect(mark.recoveryPoint).toBe(20);
  });

  test("is no more when the store has taken the mark away", async () => {
    const held = new HeldItems();
    const mark = markOf(held, true);
    const removing = mark.remove();
    expect(mark.recoveryPoint).toBe(0);
    await held.end("done");
    await removing;
    expect(mark.recoveryPoint).toBe(Number.POSITIVE_INFINITY);
  });

  test("stays where nobody knows what the store did", async () => {
    const held = new HeldItems();
    const mark = markOf(held);
    mark.ensure(10);
    await held.end("failed");
    expect([mark.isMarked, mark.recoveryPoint]).toEqual([false, 10]);
    mark.ensure(30);
    expect(mark.recoveryPoint).toBe(10);
    await held.end("done");
    expect(mark.recoveryPoint).toBe(30);
    const removing = mark.remove().catch(() => undefined);
    await held.end("failed");
    await removing;
    expect(mark.recoveryPoint).toBe(30);
  });
});
