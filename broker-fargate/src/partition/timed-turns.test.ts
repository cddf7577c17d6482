import { VirtualClock } from "@millrace/adapter-memory";
import { expect, it } from "vitest";
import { TimedTurns } from "./timed-turns.ts";

/** A clock on which work takes time. */
class WorkClock extends VirtualClock {
  spend(ms: number): void {
    this.advance(ms);
  }
}

it("runs what fits into a turn at once, the rest in later ones, in order", async () => {
  const clock = new WorkClock();
  const turns = new TimedTurns(clock, 5);
  const done: number[] = [];
  const tasks = Array.from({ length: 12 }, (_, index) =>
    turns.run(() => {
      clock.spend(2);
      done.push(index);
    }),
  );
  expect(done).toEqual([0, 1, 2]);
  for (let turn = 2; turn <= 4; turn++) {
    expect(clock.pendingTimers).toBe(1);
    clock.fireNext();
    expect(done).toHaveLength(3 * turn);
  }
  await Promise.all(tasks);
  expect(done).toEqual(Array.from({ length: 12 }, (_, index) => index));
  expect(clock.pendingTimers).toBe(0);
});

it("makes nobody wait for work that took its time long ago, or takes none", async () => {
  const clock = new WorkClock();
  const turns = new TimedTurns(clock, 5);
  const slow = (): void => clock.spend(20);
  await turns.run(slow);
  await turns.run(slow);
  for (let index = 0; index < 1_000; index++) await turns.run(() => index);
  expect(clock.pendingTimers).toBe(0);
});

it("rejects as the task throws, also one that waited", async () => {
  const clock = new WorkClock();
  const turns = new TimedTurns(clock, 5);
  const failing = (): never => {
    clock.spend(6);
    throw new Error("no");
  };
  const outcomes = [turns.run(failing), turns.run(failing), turns.run(() => "yes")];
  while (clock.fireNext());
  const settled = await Promise.allSettled(outcomes);
  expect(settled.map(({ status }) => status)).toEqual(["rejected", "rejected", "fulfilled"]);
});
