import { MemoryMetadataStore, SeededRandom, VirtualClock } from "@millrace/adapter-memory";
import { type MetadataStore, slot } from "@millrace/core";
import { expect, it } from "vitest";
import type { CoordinatorDeps } from "./deps.ts";
import { HeldSlots } from "./held-slots.ts";
import { slotsOpeningMax } from "./limits.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it("looks for groups in some slots at a time, and in the others after them", async () => {
  const memory = new MemoryMetadataStore();
  const held: (() => void)[] = [];
  let begun = 0;
  const range: MetadataStore["range"] = async (...asked) => {
    begun += 1;
    await new Promise<void>((resolve) => held.push(resolve));
    return memory.range(...asked);
  };
  const deps = {
    clock: new VirtualClock(),
    random: new SeededRandom(1),
    cluster: { store: { range } },
    view: { leads: () => true },
  } as unknown as CoordinatorDeps;
  const slots = new HeldSlots(deps, {} as ConstructorParameters<typeof HeldSlots>[1]);
  const asked = Array.from({ length: slotsOpeningMax + 3 }, (_, at) => slot(at));
  const opening = slots.openLed(asked);
  await turn();
  expect(begun).toBe(slotsOpeningMax);
  held.shift()?.();
  await turn();
  expect(begun).toBe(slotsOpeningMax + 1);
  while (held.length > 0) {
    held.shift()?.();
    await turn();
  }
  await opening;
  expect(begun).toBe(asked.length);
});
