import { VirtualClock } from "@millrace/adapter-memory";
import { hotSlotsMax, type Slot, slot } from "@millrace/core";
import { beforeEach, expect, it } from "vitest";
import { trafficWindowMs } from "./limits.ts";
import { SlotTraffic } from "./slot-traffic.ts";

const everyMs = 500;
const all = (): boolean => true;

let clock: VirtualClock;
let traffic: SlotTraffic;

beforeEach(() => {
  clock = new VirtualClock();
  traffic = new SlotTraffic(clock, 64);
});

/** Traffic of `ms`, at so many bytes per second of each slot, asked for as heartbeats do. */
async function flow(ms: number, rates: readonly (readonly [Slot, number])[]): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += everyMs) {
    for (const [one, rate] of rates) traffic.count(one, (rate * everyMs) / 1000);
    clock.advance(everyMs);
    traffic.load(all);
  }
}

it("tells the bytes per second of a steady load, hottest slot first", async () => {
  await flow(6 * trafficWindowMs, [
    [slot(3), 1_000_000],
    [slot(7), 4_000_000],
  ]);
  const { slots, total } = traffic.load(all);
  expect(slots.map(([one]) => one)).toEqual([7, 3]);
  expect(total).toBeGreaterThan(4_980_000);
  expect(total).toBeLessThanOrEqual(5_000_000);
});

it("makes little of a burst, and forgets it", async () => {
  await flow(1_000, [[slot(3), 10_000_000]]);
  expect(traffic.load(all).total).toBeLessThan(1_000_000);
  await flow(20 * trafficWindowMs, []);
  expect(traffic.load(all)).toEqual({ total: 0, slots: [] });
});

it("tells no more slots than a heartbeat may, and the total of all", async () => {
  const rates = Array.from({ length: 40 }, (_, at) => [slot(at), 1000 + at] as const);
  await flow(6 * trafficWindowMs, rates);
  const { slots, total } = traffic.load(all);
  expect(slots).toHaveLength(hotSlotsMax);
  expect(slots[0]?.[0]).toBe(39);
  expect(total).toBeGreaterThan(40_000);
});

it("says nothing of a slot that is led elsewhere, nor later of what it had here before", async () => {
  await flow(6 * trafficWindowMs, [[slot(3), 1_000_000]]);
  expect(traffic.load((one) => one !== 3)).toEqual({ total: 0, slots: [] });
  expect(traffic.load(all)).toEqual({ total: 0, slots: [] });
});
