import {
  MemoryDisk,
  MemoryMetadataStore,
  SeededRandom,
  VirtualClock,
} from "@millrace/adapter-memory";
import { epoch, incarnationId, keys, slot, type Slot, topicId, type Write } from "@millrace/core";
import { expect, it } from "vitest";
import { partitionDirectory } from "./log-opener.ts";
import { PartitionItems } from "./partition-items.ts";
import { SlotWrites } from "./slot-writes.ts";
import { TopicRemovals } from "./topic-removals.ts";

const topic = topicId("0123456789abcdef".repeat(2));
const me = incarnationId(`1-${"a".repeat(32)}`);
const retryMs = 100;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function head(of: Slot, owner: string | null): Write {
  return { kind: "put", key: keys.head(of), value: { owner, epoch: 1, sources: [] } };
}

/** Of a topic that has partition n in slot n; leadership gives this broker slots 0 and 1. */
async function newRemovals() {
  const [clock, disk, store] = [new VirtualClock(), new MemoryDisk(), new MemoryMetadataStore()];
  const access = { store, clock, random: new SeededRandom(1) };
  const led = new Set([slot(0), slot(1)]);
  const seen: { readonly warned: unknown[]; isDone: boolean } = { warned: [], isDone: false };
  const places = [0, 1].map((partition) => ({ topicId: topic, partition, slot: slot(partition) }));
  for (const place of places) {
    disk.makeDirectory(partitionDirectory(place));
    disk.open(`${partitionDirectory(place)}/log`, { create: "ifAbsent" })?.close();
    const key = keys.partition(place.slot, topic, place.partition);
    await store.transact([{ kind: "put", key, value: { startOffset: 1 } }, head(place.slot, me)]);
  }
  const removals = new TopicRemovals({
    ...{ clock, disk, retryMs },
    items: new PartitionItems(access, new SlotWrites(access)),
    cluster: {
      slotOfPartition: (_, partition) => slot(partition),
      openSlot: () => Promise.resolve({ epoch: epoch(1) }),
      pendingDeletions: () => Promise.resolve([]),
      deletionDone: () => {
        seen.isDone = true;
        return Promise.resolve();
      },
    },
    release: () => Promise.resolve(),
    released: () => Promise.resolve(),
    removeCold: () => Promise.resolve(),
    isOurs: (place) => led.has(place.slot),
    isGone: () => Promise.resolve(true),
    warn: (_, cause) => seen.warned.push(cause),
  });
  return { clock, disk, store, led, seen, removals };
}

it("goes on with what this broker has after one of the slots was handed over meanwhile", async () => {
  const { clock, disk, led, removals, seen, store } = await newRemovals();
  // Its head has no owner any more, which leadership tells a little later.
  await store.transact([head(slot(0), null)]);
  removals.begin(topic, 2);
  await turn();
  expect(seen.warned).toMatchObject([{ name: "FencedError" }]);
  led.delete(slot(0));
  clock.advance(retryMs);
  await turn();
  expect(seen.isDone).toBe(true);
  expect(disk.paths().filter((path) => path.includes(`${topic}-1/`))).toEqual([]);
  expect(await store.get(keys.partition(slot(1), topic, 1))).toBeUndefined();
});

it("tries nothing again once it is closed", async () => {
  const { clock, removals, seen, store } = await newRemovals();
  await store.transact([head(slot(0), null)]);
  removals.begin(topic, 2);
  await turn();
  await removals.close();
  clock.advance(10 * retryMs);
  await turn();
  expect(seen.warned).toHaveLength(1);
  expect(clock.pendingTimers).toBe(0);
});
