import { VirtualClock } from "@millrace/adapter-memory";
import { epoch, slot, type Slot, topicId } from "@millrace/core";
import { expect, it } from "vitest";
import { copySlot, type CopySlotDeps } from "../partition/copy-slot.ts";
import { adoptionsAtOnceMax, copiesAtOnceMax } from "./limits.ts";
import { Takeover, type TakeoverDeps } from "./takeover.ts";

/** Calls that end when the test says so. */
class Held {
  readonly #ends: (() => void)[] = [];
  begun = 0;

  begin(): Promise<void> {
    this.begun += 1;
    return new Promise((resolve) => this.#ends.push(resolve));
  }

  /** Ends the oldest that is under way. */
  async endOne(): Promise<void> {
    this.#ends.shift()?.();
    await turn();
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const more = 3;

it("copies what former owners have of some slots at a time, and the others after them", async () => {
  const slots = Array.from({ length: adoptionsAtOnceMax + more }, (_, at) => slot(at));
  const held = new Held();
  const opener = {
    takeOver: () => Promise.resolve(new Map<Slot, unknown>()),
    find: () => ({ epoch: epoch(1) }),
    sourcesOf: () => [{}],
    lostOf: () => undefined,
    findLost: () => Promise.resolve(),
  } as unknown as TakeoverDeps["opener"];
  const nothing = (): void => undefined;
  const takeover = new Takeover({
    ...{ clock: new VirtualClock(), opener, leads: () => true },
    ...{ onOpen: nothing, onOver: nothing, warn: nothing },
    work: {
      openGroups: () => Promise.resolve(),
      waitingPartitions: () => [],
      adoptPartition: () => Promise.resolve(),
      adoptPacks: () => held.begin(),
    },
  });
  takeover.begin(slots);
  await turn();
  expect(held.begun).toBe(adoptionsAtOnceMax);
  await held.endOne();
  expect(held.begun).toBe(adoptionsAtOnceMax + 1);
  for (const _ of slots) await held.endOne();
  expect([held.begun, takeover.adoptingSlots]).toEqual([slots.length, 0]);
  await takeover.close();
});

it("copies some partitions of a crowded slot at a time, and the others after them", async () => {
  const topic = topicId("0123456789abcdef".repeat(2));
  const waiting = Array.from({ length: copiesAtOnceMax + more }, (_, partition) => {
    return { topicId: topic, partition };
  });
  const held = new Held();
  const copied: unknown[] = [];
  const deps = {
    tier: {
      closeSlot: () => Promise.resolve(),
      adoptSlot: () => Promise.resolve(),
      isSlotHeld: () => true,
      checkpointer: {
        copy: (copies: readonly unknown[]) => {
          copied.push(...copies);
          return Promise.resolve("done");
        },
      },
    },
    loader: {
      isKnown: () => true,
      openCopy: async () => {
        await held.begin();
        return { log: { close: () => undefined } };
      },
    },
    warn: () => undefined,
  } as unknown as CopySlotDeps;
  const at = { slot: slot(1), openSlot: { epoch: epoch(1) } } as Parameters<typeof copySlot>[1];
  const copying = copySlot(deps, at, waiting);
  await turn();
  expect(held.begun).toBe(copiesAtOnceMax);
  await held.endOne();
  expect(held.begun).toBe(copiesAtOnceMax + 1);
  for (const _ of waiting) await held.endOne();
  await copying;
  expect(copied).toHaveLength(waiting.length);
});
