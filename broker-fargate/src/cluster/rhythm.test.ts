import { SeededRandom, VirtualClock } from "@millrace/adapter-memory";
import { MetadataError } from "@millrace/core";
import { beforeEach, describe, expect, it } from "vitest";
import { storeRetryMsMax, storeRetryMsMin } from "./limits.ts";
import { Rhythm } from "./rhythm.ts";

const away = (): MetadataError => new MetadataError("away", { retriable: true, applied: "no" });

let clock: VirtualClock;
let begun: number[];
let told: string[];
let run: () => Promise<void>;
let rhythm: Rhythm;

beforeEach(() => {
  clock = new VirtualClock();
  begun = [];
  told = [];
  run = () => Promise.resolve();
  rhythm = new Rhythm({
    clock,
    random: new SeededRandom(1),
    everyMs: () => 500,
    run: () => {
      begun.push(clock.monotonicMs());
      return run();
    },
    onStore: (now) => told.push(now),
  });
});

async function advance(ms: number): Promise<void> {
  const endMs = clock.monotonicMs() + ms;
  for (;;) {
    await new Promise((resolve) => setImmediate(resolve));
    if (clock.nextDueMs === undefined || clock.nextDueMs > endMs) break;
    clock.fireNext();
  }
  clock.advance(endMs - clock.monotonicMs());
}

describe("a rhythm", () => {
  it("runs at its interval from beginning to beginning, sooner where that is asked for", async () => {
    run = () => new Promise((resolve) => clock.after(100, resolve));
    void rhythm.now();
    await advance(1_200);
    expect(begun).toEqual([0, 500, 1_000]);
    rhythm.by(1_300);
    rhythm.by(1_400);
    await advance(700);
    expect(begun.slice(3)).toEqual([1_300, 1_800]);
  });

  it("never runs twice at once: what is asked during a run comes right after it", async () => {
    run = () => new Promise((resolve) => clock.after(100, resolve));
    const done: number[] = [];
    void rhythm.now().then(() => done.push(1));
    await advance(50);
    void rhythm.now().then(() => done.push(2));
    await advance(60);
    expect([begun, done]).toEqual([[0, 100], [1]]);
    await advance(100);
    expect(done).toEqual([1, 2]);
  });

  it("pauses longer and longer while the store is away, to a bound, and says so once", async () => {
    run = () => Promise.reject(away());
    let isDone = false;
    void rhythm.now().then(() => {
      isDone = true;
    });
    await advance(20_000);
    const pauses = begun.slice(1).map((at, index) => at - (begun[index] ?? 0));
    expect(pauses[0]).toBeGreaterThanOrEqual(storeRetryMsMin / 2);
    expect(pauses[0]).toBeLessThan(storeRetryMsMin);
    expect(Math.max(...pauses)).toBeLessThan(storeRetryMsMax);
    expect(Math.min(...pauses.slice(6))).toBeGreaterThanOrEqual(storeRetryMsMax / 2);
    expect([isDone, told]).toEqual([false, ["away"]]);
    run = () => Promise.resolve();
    await advance(storeRetryMsMax);
    expect([isDone, told]).toEqual([true, ["away", "back"]]);
  });

  it("is quiet after its close, and leaves nobody waiting", async () => {
    run = () => Promise.reject(away());
    const waiting = rhythm.now();
    await advance(10);
    await rhythm.close();
    await waiting;
    await rhythm.now();
    rhythm.by(20);
    const count = begun.length;
    await advance(5_000);
    expect(begun).toHaveLength(count);
  });
});
