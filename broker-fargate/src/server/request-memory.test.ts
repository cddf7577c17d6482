import { expect, it } from "vitest";
import { overdraftMsMax, slowFrameBytesMin, slowFrameLookMs } from "../limits.ts";
import { HandClock } from "./fixtures.ts";
import { RequestMemory } from "./request-memory.ts";

function claimant(name: string, log: string[]) {
  return {
    underWayBytes: 0,
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
  clock.advance(slowFrameLookMs);
  expect(clock.pendingTimers).toBe(0);
});

it("lets small requests pass the line as long as the reserve above the limit lasts", () => {
  const clock = new HandClock();
  const log: string[] = [];
  const reserve = { requestBytesMax: 5, bytes: 8 };
  const memory = new RequestMemory({ limitBytes: 100, frameBytesMax: 50, clock, reserve });
  const [a, b, c] = [claimant("a", log), claimant("b", log), claimant("c", log)];
  memory.take(100, a);
  memory.frameCompleted(a);
  expect(memory.take(5, c)).toBe("taken");
  expect(memory.take(6, b)).toBe("taken");
  expect(memory.take(6, a)).toBe("waiting");
  expect(memory.take(5, c)).toBe("waiting");
  expect(memory.usedBytes).toBe(111);
});

it("gives up frames that hardly grow, but only while somebody waits", () => {
  const clock = new HandClock();
  const log: string[] = [];
  const slow = { ...claimant("slow", log), underWayBytes: 10 };
  const fast = { ...claimant("fast", log), underWayBytes: 10 };
  const waiting = { ...claimant("waiting", log), underWayBytes: 10 };
  const holders = () => [slow, fast, waiting, claimant("between frames", log)];
  const memory = new RequestMemory({ limitBytes: 100, frameBytesMax: 50, clock, holders });
  memory.take(90, slow);
  clock.advance(10 * slowFrameLookMs);
  expect(log).toEqual([]);
  memory.take(40, fast);
  expect(memory.take(40, waiting)).toBe("waiting");
  for (let look = 0; look < 2; look += 1) {
    slow.underWayBytes += slowFrameBytesMin - 1;
    fast.underWayBytes += slowFrameBytesMin;
    clock.advance(slowFrameLookMs);
  }
  expect(log).toEqual(["slow evicted"]);
});
