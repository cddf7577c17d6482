import { VirtualClock } from "@millrace/adapter-memory";
import { expect, test } from "vitest";
import { turn } from "../partition/fixtures.ts";
import { Throttle } from "./throttle.ts";

/** Virtual milliseconds until it resolves. */
async function waitOf(clock: VirtualClock, passing: Promise<void>): Promise<number> {
  const beganMs = clock.monotonicMs();
  const over = passing.then(() => "over" as const);
  for (;;) {
    const state = await Promise.race([over, turn()]);
    if (state === "over") return clock.monotonicMs() - beganMs;
    clock.fireNext();
  }
}

test("bytes beyond the rate wait, and time without bytes saves up nothing", async () => {
  const clock = new VirtualClock();
  const throttle = new Throttle(clock);
  expect(await waitOf(clock, throttle.pass(500, 1000))).toBe(500);
  expect(await waitOf(clock, throttle.pass(1000, 1000))).toBe(1000);
  clock.advance(10_000);
  expect(await waitOf(clock, throttle.pass(1000, 1000))).toBe(1000);
});

test("debts below a millisecond add up", async () => {
  const clock = new VirtualClock();
  const throttle = new Throttle(clock);
  const waits: number[] = [];
  for (let i = 0; i < 4; i++) waits.push(await waitOf(clock, throttle.pass(1, 4000)));
  expect(waits).toEqual([0, 0, 0, 1]);
});

test("without a limit nobody waits", async () => {
  const clock = new VirtualClock();
  expect(await waitOf(clock, new Throttle(clock).pass(1e12, 1.7976931348623157e308))).toBe(0);
});

test("who waits for ever is let go at the end", async () => {
  const clock = new VirtualClock();
  const throttle = new Throttle(clock);
  let isOver = false;
  const passing = throttle.pass(1, 0).then(() => {
    isOver = true;
  });
  for (let i = 0; i < 3; i++) {
    await turn();
    clock.fireNext();
  }
  expect(isOver).toBe(false);
  throttle.release();
  await passing;
  await throttle.pass(1, 0);
});
