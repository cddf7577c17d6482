import { MemoryMetadataStore, SeededRandom, VirtualClock } from "@millrace/adapter-memory";
import { keys, type MetadataStore, slot as slotOf, topicId } from "@millrace/core";
import { expect, test } from "vitest";
import { slotsWithGroups } from "./load-slot.ts";

const topic = topicId("0190a000000070008000000000000001");

async function search(written: readonly string[], asked: { first: number; end: number }) {
  const store = new MemoryMetadataStore();
  for (const key of written) {
    await store.transact([{ kind: "put", key, value: {} }]);
  }
  let reads = 0;
  const counting: MetadataStore = {
    get: (key) => store.get(key),
    range: (range) => {
      reads += 1;
      return store.range(range);
    },
    transact: (writes) => store.transact(writes),
    close: () => store.close(),
  };
  const access = { store: counting, clock: new VirtualClock(), random: new SeededRandom(1) };
  const found: number[] = [];
  for await (const slot of slotsWithGroups(access, asked)) found.push(slot);
  return { found, reads };
}

test("finds every slot with a group or with offsets, whatever else lies in it", async () => {
  const written = [
    ...[keys.head(slotOf(0)), keys.dirty(slotOf(0), topic, 0), keys.partition(slotOf(0), topic, 0)],
    ...[keys.head(slotOf(1)), keys.group(slotOf(1), "a"), keys.group(slotOf(1), "b")],
    ...[
      keys.head(slotOf(2)),
      keys.offsets(slotOf(2), "a", "0"),
      keys.partition(slotOf(2), topic, 1),
    ],
    keys.dirty(slotOf(3), topic, 5),
    keys.group(slotOf(4), "c"),
    keys.offsets(slotOf(1023), "d", "0"),
  ];
  const { found } = await search(written, { first: 0, end: 1024 });
  expect(found).toEqual([1, 2, 4, 1023]);
});

test("stays in its range", async () => {
  const written = [3, 4, 7, 8].map((number) => keys.group(slotOf(number), "g"));
  expect((await search(written, { first: 4, end: 8 })).found).toEqual([4, 7]);
});

test("reads once of a slot that was never touched", async () => {
  const { found, reads } = await search([keys.group(slotOf(900), "g")], { first: 0, end: 1024 });
  expect(found).toEqual([900]);
  expect(reads).toBe(1024);
});

test("reads once more of a slot with a head and without groups", async () => {
  const { found, reads } = await search([keys.head(slotOf(3))], { first: 0, end: 10 });
  expect(found).toEqual([]);
  expect(reads).toBe(11);
});
