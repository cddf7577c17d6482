import {
  FaultyMetadataStore,
  MemoryDisk,
  MemoryMetadataStore,
  SeededRandom,
  VirtualClock,
} from "@millrace/adapter-memory";
import { epoch, incarnationId, keys, slot } from "@millrace/core";
import { expect, it } from "vitest";
import { settled } from "../../../test/fixtures/test-cluster.ts";
import { FormerEntries } from "./former-entries.ts";
import { SlotOpener } from "./slot-opener.ts";

const me = incarnationId(`2-${"a".repeat(32)}`);
const former = incarnationId(`1-${"b".repeat(32)}`);
const theSlot = slot(3);

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
    former: new FormerEntries(unexpected, { disk: new MemoryDisk({ wallMs: () => 0 }) }),
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
