import {
  FaultyMetadataStore,
  MemoryMetadataStore,
  SeededRandom,
  VirtualClock,
} from "@millrace/adapter-memory";
import {
  decideRelease,
  epoch,
  incarnationId,
  keys,
  MetadataError,
  type Slot,
  slot,
} from "@millrace/core";
import { expect, it } from "vitest";
import { settled } from "../../../test/fixtures/test-cluster.ts";
import { headReadsInFlightMax } from "./limits.ts";
import { SlotHeads } from "./slot-heads.ts";

const me = incarnationId(`2-${"a".repeat(32)}`);
const theSlot = slot(3);

it("never says that nothing was written where a lost reply may have hidden it", async () => {
  const clock = new VirtualClock();
  const random = new SeededRandom(1);
  const memory = new MemoryMetadataStore();
  const store = new FaultyMetadataStore(memory, { clock, random });
  await memory.transact([
    { kind: "put", key: keys.incarnation(me), value: { state: "open", trim: 0 } },
    { kind: "put", key: keys.head(theSlot), value: { owner: me, epoch: 2, sources: [] } },
  ]);
  const heads = new SlotHeads({ store, clock, random }, me);
  const owner = { slot: theSlot, incarnation: me, epoch: epoch(2) };
  // The release is made, its reply lost, and the next try refused; then nothing can be read.
  store.plan("replyLost");
  const get = store.get.bind(store);
  let writes = 0;
  const transact = store.transact.bind(store);
  store.transact = async (sent) => {
    writes += 1;
    return transact(sent);
  };
  store.get = (key, how) => {
    if (writes < 2) return get(key, how);
    return Promise.reject(new MetadataError("away", { retriable: true, applied: "no" }));
  };
  const releasing = heads.write([theSlot], (_, item) => {
    const release = decideRelease(item, owner);
    return release.kind === "write" ? release.write : undefined;
  });
  await expect(settled(clock, releasing)).rejects.toMatchObject({ applied: "maybe" });
  expect((await memory.get(keys.head(theSlot)))?.value["owner"]).toBeNull();
});

it("reads a bounded number of heads at the same time, and the others after them", async () => {
  const clock = new VirtualClock();
  const random = new SeededRandom(1);
  const store = new MemoryMetadataStore();
  const slots = Array.from({ length: 2 * headReadsInFlightMax + 1 }, (_, at) => slot(at));
  let underWay = 0;
  let most = 0;
  const get = store.get.bind(store);
  store.get = async (key) => {
    underWay += 1;
    most = Math.max(most, underWay);
    await new Promise<void>((resolve) => clock.after(5, resolve));
    underWay -= 1;
    return get(key);
  };
  const reading = new SlotHeads({ store, clock, random }, me).readAll(slots);
  const read = await settled(clock, reading);
  expect([...read.keys()].toSorted((a: Slot, b: Slot) => a - b)).toEqual(slots);
  expect(most).toBe(headReadsInFlightMax);
});
