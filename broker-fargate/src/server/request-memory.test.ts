import { expect, it } from "vitest";
import { overdraftMsMax } from "../limits.ts";
import { HandClock } from "./fixtures.ts";
import { RequestMemory } from "./request-memory.ts";

function claimant(name: string, log: string[]) {
  return {
    granted: (bytes: number) => void log.push(`${name} +${bytes}`),
    evicted: () => void log.push(`${name} evicted`),
  };
}

function memoryOf100() {
  const clock = new HandClock();
  const log: string[] = [];
  const memory = new RequestMemory({ limitBytes: 100, frameBytesMax: 50, clock });
  const [a, b, c] = [claimant("a", log), claimant("b", log), claimant("c", log)];
  return { clock, log, memory, a, b, c };
}

it("lets nobody overtake the first in line, even with a request that would fit", () => {
  const { memory, log, a, b, c } = memoryOf100();
  expect(memory.take(90, a)).toBe("taken");
  expect(memory.take(40, a)).toBe("taken");
  expect(memory.take(60, b)).toBe("waiting");
  memory.giveBack(60);
  expect(memory.usedBytes).toBe(70);
  expect(memory.take(5, c)).toBe("waiting");
  expect(log).toEqual([]);
  memory.giveBack(50);
  expect(log).toEqual(["b +60", "c +5"]);
  expect(memory.usedBytes).toBe(85);
});

it("lets one at a time above the limit, and the next when its frame is complete", () => {
  const { memory, log, a, b, c } = memoryOf100();
  expect(memory.take(100, a)).toBe("taken");
  expect(memory.take(30, b)).toBe("taken");
  expect(memory.take(30, c)).toBe("waiting");
  expect(memory.take(20, b)).toBe("taken");
  memory.frameCompleted(b);
  expect(log).toEqual(["c +30"]);
  memory.frameCompleted(c);
  expect(memory.take(1, a)).toBe("waiting");
  expect(memory.usedBytes).toBe(180);
});

it("evicts who is above the limit for too long with half a frame", () => {
  const { memory, log, clock, a, b, c } = memoryOf100();
  memory.take(100, a);
  memory.take(30, b);
  clock.advance(overdraftMsMax - 1);
  memory.take(30, c);
  expect(log).toEqual([]);
  clock.advance(1);
  expect(log).toEqual(["b evicted"]);
  memory.forget(b);
  expect(log).toEqual(["b evicted", "c +30"]);
  memory.frameCompleted(c);
  expect(clock.pendingTimers).toBe(0);
});
