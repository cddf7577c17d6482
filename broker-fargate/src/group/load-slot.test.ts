import { MemoryMetadataStore, SeededRandom, VirtualClock } from "@millrace/adapter-memory";
import {
  keys,
  type KeySeeker,
  type MetadataStore,
  type Slot,
  slot as slotOf,
  topicId,
} from "@millrace/core";
import { describe, expect, test } from "vitest";
import { slotsWithGroups } from "./load-slot.ts";

const topic = topicId("0190a000000070008000000000000001");

interface Asked {
  readonly first: number;
  readonly end: number;
  readonly others?: readonly number[];
  readonly by?: "seeks";
}

async function search(
  written: readonly string[],
  { by, end, first, others = [] }: Asked,
): Promise<{ readonly found: readonly number[]; readonly reads: number }> {
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
  const seeking: KeySeeker = {
    firstKey: (bounds) => {
      reads += 1;
      return store.firstKey(bounds);
    },
  };
  const seeker = by === "seeks" ? seeking : undefined;
  const leads = (slot: Slot): boolean => !others.includes(slot);
  const access = { store: counting, clock: new VirtualClock(), random: new SeededRandom(1) };
  const found: number[] = [];
  const slots = slotsWithGroups(access, { first, end, leads, seeker });
  for await (const slot of slots) found.push(slot);
  return { found, reads };
}

const mixed = [
  ...[keys.head(slotOf(0)), keys.dirty(slotOf(0), topic, 0), keys.partition(slotOf(0), topic, 0)],
  ...[keys.head(slotOf(1)), keys.group(slotOf(1), "a"), keys.group(slotOf(1), "b")],
  ...[keys.head(slotOf(2)), keys.offsets(slotOf(2), "a", "0"), keys.partition(slotOf(2), topic, 1)],
  keys.dirty(slotOf(3), topic, 5),
  keys.group(slotOf(4), "c"),
  keys.offsets(slotOf(1023), "d", "0"),
  ...[keys.topic("a"), keys.version],
];

describe.each([{}, { by: "seeks" as const }])("a search for slots with groups (%o)", (how) => {
  test("finds every slot with a group or with offsets, whatever else lies in it", async () => {
    const { found } = await search(mixed, { ...how, first: 0, end: 1024 });
    expect(found).toEqual([1, 2, 4, 1023]);
  });

  test("stays in its range", async () => {
    const written = [3, 4, 7, 8].map((number) => keys.group(slotOf(number), "g"));
    expect((await search(written, { ...how, first: 4, end: 8 })).found).toEqual([4, 7]);
  });

  test("passes over the slots of others", async () => {
    const { found } = await search(mixed, { ...how, first: 0, end: 1024, others: [0, 2, 4] });
    expect(found).toEqual([1, 1023]);
  });
});

test("reads once of a slot that was never touched, and nothing of another's", async () => {
  const written = [keys.group(slotOf(900), "g")];
  const { found, reads } = await search(written, { first: 0, end: 1024, others: [3, 4] });
  expect(found).toEqual([900]);
  expect(reads).toBe(1022);
});

test("reads once more of a slot with a head and without groups", async () => {
  const { found, reads } = await search([keys.head(slotOf(3))], { first: 0, end: 10 });
  expect(found).toEqual([]);
  expect(reads).toBe(11);
});

test("seeks nothing of slots that were never touched", async () => {
  const written = [keys.head(slotOf(3)), keys.group(slotOf(900), "g")];
  const { found, reads } = await search(written, { by: "seeks", first: 0, end: 1024 });
  expect(found).toEqual([900]);
  // The head, the group behind it, and the end.
  expect(reads).toBe(3);
});
