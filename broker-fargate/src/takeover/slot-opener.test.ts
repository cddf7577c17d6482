import {
  FaultyMetadataStore,
  MemoryDisk,
  MemoryMetadataStore,
  SeededRandom,
  VirtualClock,
} from "@millrace/adapter-memory";
import {
  type Epoch,
  epoch,
  type IncarnationId,
  incarnationId,
  keys,
  type MetadataStore,
  ObjectError,
  type Slot,
  slot,
  topicId,
} from "@millrace/core";
import { expect, it } from "vitest";
import { settled } from "../../../test/fixtures/test-cluster.ts";
import { FormerEntries, type FormerEntry, type ReadFormerJournal } from "./former-entries.ts";
import { SlotOpener, type SlotOpenerDeps } from "./slot-opener.ts";

const me = incarnationId(`2-${"a".repeat(32)}`);
const former = incarnationId(`1-${"b".repeat(32)}`);
const theSlot = slot(3);
const someTopic = topicId("0123456789abcdef".repeat(2));

it("knows that a slot's sources are dropped where the reply to that was lost", async () => {
  const clock = new VirtualClock();
  const random = new SeededRandom(1);
  const memory = new MemoryMetadataStore();
  const store = new FaultyMetadataStore(memory, { clock, random });
  const released = { incarnation: former, epoch: 1, released: true };
  await memory.transact([
    { kind: "put", key: keys.incarnation(me), value: { state: "open", trim: 0 } },
    { kind: "put", key: keys.head(theSlot), value: { owner: null, epoch: 1, sources: [released] } },
  ]);
  const unexpected = (): never => {
    throw new Error("nothing of that kind is to happen");
  };
  const opener = new SlotOpener({
    ...{ store, clock, random, incarnation: me },
    epochOf: () => epoch(2),
    closeJournal: unexpected,
    caughtUp: () => Promise.resolve(),
    former: new FormerEntries(unexpected, {
      disk: new MemoryDisk({ wallMs: () => 0 }),
      warn: unexpected,
    }),
    readAhead: () => undefined,
    copy: unexpected,
    isCopied: () => true,
    onLost: unexpected,
  });
  await settled(clock, opener.open(theSlot));
  expect(opener.sourcesOf(theSlot)).toEqual([released]);
  store.plan("replyLost");
  expect(await settled(clock, opener.dropSources(theSlot))).toBe(true);
  expect(store.counts.replyLost).toBe(1);
  expect(opener.sourcesOf(theSlot)).toEqual([]);
  expect((await memory.get(keys.head(theSlot)))?.value["sources"]).toEqual([]);
});

it("leaves alone what a later taking of the slot has read where a drop's reply is late", async () => {
  const clock = new VirtualClock();
  const random = new SeededRandom(1);
  const memory = new MemoryMetadataStore();
  const between = incarnationId(`3-${"c".repeat(32)}`);
  const key = keys.head(theSlot);
  await memory.transact([
    { kind: "put", key: keys.incarnation(me), value: { state: "open", trim: 0 } },
    {
      ...{ kind: "put", key },
      value: {
        owner: null,
        epoch: 1,
        sources: [{ incarnation: former, epoch: 1, released: true }],
      },
    },
  ]);
  const place = { topicId: someTopic, partition: 0, slot: theSlot };
  const entry = {
    ...{ ...place, epoch: epoch(3), baseOffset: 0, lastOffset: 0 },
    records: Uint8Array.of(7),
  };
  const entries = new FormerEntries(
    (_, __, take) => {
      take([entry]);
      return Promise.resolve();
    },
    { disk: new MemoryDisk({ wallMs: () => 0 }), warn: () => undefined },
  );
  const leads = { epoch: 2 };
  const opener = new SlotOpener({
    ...{ store: memory, clock, random, incarnation: me, former: entries },
    epochOf: () => epoch(leads.epoch),
    closeJournal: () => Promise.resolve(),
    caughtUp: () => Promise.resolve(),
    readAhead: () => undefined,
    copy: () => Promise.reject(new Error("there is one source")),
    isCopied: () => entries.partitionsOf(theSlot).length === 0,
    onLost: () => undefined,
  });
  await settled(clock, opener.open(theSlot));
  const answer = heldAnswer(memory);
  const dropping = opener.dropSources(theSlot);
  await answer.held;
  await opener.stop([theSlot]);
  await settled(clock, opener.release([theSlot]));
  // Another broker claims it, acknowledges a record, and dies.
  await memory.transact([{ kind: "put", key, value: { owner: between, epoch: 3, sources: [] } }]);
  leads.epoch = 4;
  opener.resume([theSlot]);
  await settled(clock, opener.open(theSlot));
  expect(entries.partitionsOf(theSlot)).toHaveLength(1);
  answer.give();
  expect(await settled(clock, dropping)).toBe(false);
  expect(entries.partitionsOf(theSlot)).toHaveLength(1);
});

it("is not sure of a slot whose opening failed after its claim, and so hands over none of them", async () => {
  const store = await storeWith([[theSlot, former]]);
  const away = new ObjectError("away", { retriable: true, applied: "no" });
  const journal = { isAway: true };
  const entries = readBy(() => (journal.isAway ? Promise.reject(away) : Promise.resolve()));
  const { clock, opener } = openerOf(store, { former: entries });
  await expect(settled(clock, opener.open(theSlot))).rejects.toBe(away);
  expect((await store.get(keys.head(theSlot)))?.value["owner"]).toBe(me);
  expect(await settled(clock, opener.stop([theSlot, slot(4)]))).toBe("failed");
  opener.resume([theSlot, slot(4)]);
  journal.isAway = false;
  await settled(clock, opener.open(theSlot));
  expect(await settled(clock, opener.stop([theSlot, slot(4)]))).toBe("stopped");
});

it("opens one owner's slots while another one's journal takes long to close", async () => {
  const slow = incarnationId(`3-${"c".repeat(32)}`);
  const store = await storeWith([
    [slot(0), former],
    [slot(1), slow],
  ]);
  const { promise: closed, resolve: close } = Promise.withResolvers<void>();
  const { opener } = openerOf(store, {
    former: readBy(() => Promise.resolve()),
    closeJournal: (owner) => (owner === slow ? closed : Promise.resolve()),
  });
  const taking = opener.takeOver([slot(0), slot(1)]);
  await turn();
  expect([opener.find(slot(0))?.epoch, opener.find(slot(1))]).toEqual([2, undefined]);
  close();
  expect((await taking).size).toBe(0);
  expect(opener.find(slot(1))?.epoch).toBe(2);
});

it("reads a former owner's journal while it is closed, and keeps nothing of a slot that became another's", async () => {
  const store = await storeWith([[theSlot, former]]);
  const { promise: closed, resolve: close } = Promise.withResolvers<void>();
  const readings: (readonly Slot[])[] = [];
  const entries = readBy((_, slots, take) => {
    readings.push([...slots]);
    take([entryOf(theSlot)]);
    return Promise.resolve();
  });
  let given: Epoch | undefined = epoch(2);
  const { opener } = openerOf(store, {
    former: entries,
    epochOf: () => given,
    closeJournal: () => closed,
  });
  const taking = opener.takeOver([theSlot]);
  await turn();
  expect(readings).toEqual([[theSlot]]);
  expect(entries.memoryBytes).toBe(1);
  given = undefined;
  close();
  await taking;
  expect(opener.find(theSlot)).toBe(undefined);
  expect([entries.memoryBytes, entries.partitionsOf(theSlot)]).toEqual([0, []]);
});

it("opens no slot whose entries were not read, though those of others were, in one go", async () => {
  const slots = [slot(1), slot(2)];
  const store = await storeWith(slots.map((one) => [one, former]));
  const gates: PromiseWithResolvers<void>[] = [];
  const entries = readBy(async (_, wanted, take) => {
    const gate = Promise.withResolvers<void>();
    gates.push(gate);
    await gate.promise;
    for (const one of wanted) take([entryOf(one)]);
  });
  const away = new ObjectError("away", { retriable: true, applied: "no" });
  let isAway = true;
  const { opener } = openerOf(store, {
    former: entries,
    closeJournal: () => (isAway ? Promise.reject(away) : Promise.resolve()),
  });
  for (const one of slots) await opener.takeOver([one]);
  isAway = false;
  const again = opener.takeOver(slots);
  await turn();
  await turn();
  gates.at(-1)?.reject(away);
  await turn();
  for (const gate of gates) gate.resolve();
  await again;
  const open = slots.filter((one) => opener.find(one) !== undefined);
  expect(slots.filter((one) => entries.partitionsOf(one).length === 1)).toEqual(open);
  expect(entries.memoryBytes).toBe(open.length);
});

/** In which the slots' heads name these owners. */
async function storeWith(
  owners: readonly (readonly [Slot, IncarnationId])[],
): Promise<MemoryMetadataStore> {
  const store = new MemoryMetadataStore();
  const own = { key: keys.incarnation(me), value: { state: "open", trim: 0 } };
  const heads = owners.map(([one, owner]) => {
    return { key: keys.head(one), value: { owner, epoch: 1, sources: [] } };
  });
  await store.transact([own, ...heads].map((item) => ({ kind: "put", ...item }) as const));
  return store;
}

/** Of slots that leadership gives this incarnation, where no step fails. */
function openerOf(
  store: MetadataStore,
  deps: Pick<SlotOpenerDeps, "former"> & Partial<SlotOpenerDeps>,
): { readonly clock: VirtualClock; readonly opener: SlotOpener } {
  const clock = new VirtualClock();
  const opener = new SlotOpener({
    ...{ store, clock, random: new SeededRandom(1), incarnation: me },
    epochOf: () => epoch(2),
    closeJournal: () => Promise.resolve(),
    caughtUp: () => Promise.resolve(),
    readAhead: () => undefined,
    copy: () => Promise.resolve(),
    isCopied: () => false,
    onLost: () => undefined,
    ...deps,
  });
  return { clock, opener };
}

function readBy(read: ReadFormerJournal): FormerEntries {
  return new FormerEntries(read, {
    disk: new MemoryDisk({ wallMs: () => 0 }),
    warn: () => undefined,
  });
}

/** A byte of it. */
function entryOf(one: Slot): FormerEntry {
  const place = { topicId: someTopic, partition: 0, slot: one };
  return {
    ...{ ...place, epoch: epoch(1), baseOffset: 0, lastOffset: 0 },
    records: new Uint8Array(1),
  };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The next transaction is made at once, and answered when `give` was called. */
function heldAnswer(store: MetadataStore): { readonly held: Promise<void>; give: () => void } {
  const { promise: held, resolve: begin } = Promise.withResolvers<void>();
  const { promise: gate, resolve: give } = Promise.withResolvers<void>();
  const transact = store.transact.bind(store);
  store.transact = async (writes) => {
    store.transact = transact;
    const outcome = await transact(writes);
    begin();
    await gate;
    return outcome;
  };
  return { held, give };
}
