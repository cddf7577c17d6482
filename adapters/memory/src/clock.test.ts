import { describe, expect, it } from "vitest";
import { VirtualClock } from "./clock.ts";
import { SeededRandom } from "./random.ts";

describe("the virtual clock", () => {
  it("fires timers in the order of their times, and of one time in the order they were set", () => {
    const clock = new VirtualClock();
    const fired: string[] = [];
    clock.after(20, () => fired.push(`c@${clock.monotonicMs()}`));
    clock.after(10, () => {
      fired.push(`a@${clock.monotonicMs()}`);
      clock.after(0, () => fired.push(`a2@${clock.monotonicMs()}`));
    });
    clock.after(10, () => fired.push(`b@${clock.monotonicMs()}`));
    clock.after(21, () => fired.push("late"));
    expect(fired).toEqual([]);
    clock.advance(20);
    expect(fired).toEqual(["a@10", "b@10", "a2@10", "c@20"]);
    expect(clock.monotonicMs()).toBe(20);
    expect(clock.nextDueMs).toBe(21);
  });

  it("does not fire a cancelled timer, nor mind one that is cancelled twice or late", () => {
    const clock = new VirtualClock();
    const fired: string[] = [];
    const first = clock.after(1, () => fired.push("first"));
    const second = clock.after(1, () => fired.push("second"));
    first.cancel();
    first.cancel();
    clock.advance(5);
    second.cancel();
    expect(fired).toEqual(["second"]);
    expect(clock.fireNext()).toBe(false);
  });

  it("lets the wall clock jump without touching durations", () => {
    const clock = new VirtualClock({ wallMs: 1000 });
    clock.advance(5);
    clock.jumpWall(-600);
    expect(clock.wallMs()).toBe(405);
    expect(clock.monotonicMs()).toBe(5);
  });

  it("shows whole milliseconds on the wall, also between them", () => {
    const clock = new VirtualClock({ wallMs: 1_000 });
    clock.advance(2.5);
    expect(clock.wallMs()).toBe(1_002);
    expect(clock.monotonicMs()).toBe(2.5);
  });
});

describe("seeded randomness", () => {
  it("repeats itself for a seed, and differs between seeds", () => {
    const draw = (seed: number): string => {
      const random = new SeededRandom(seed);
      const numbers = Array.from({ length: 8 }, () => random.below(1000));
      return `${numbers.join(",")}:${random.bytes(8).join(",")}:${random.fork().below(1e9)}`;
    };
    expect(draw(7)).toBe(draw(7));
    expect(new Set(Array.from({ length: 50 }, (_, seed) => draw(seed))).size).toBe(50);
    expect(draw(2 ** 40)).not.toBe(draw(0));
  });

  it("stays below its limit and reaches all of it evenly", () => {
    const random = new SeededRandom(1);
    const counts = Array.from({ length: 10 }, () => 0);
    for (let draw = 0; draw < 20_000; draw += 1) {
      const digit = random.below(10);
      counts[digit] = (counts[digit] ?? 0) + 1;
    }
    for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(250);
    expect(random.below(1)).toBe(0);
    expect(random.below(2 ** 32)).toBeLessThan(2 ** 32);
  });
});
