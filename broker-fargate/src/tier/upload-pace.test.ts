import { VirtualClock } from "@millrace/adapter-memory";
import { beforeEach, describe, expect, it } from "vitest";
import { turn } from "./fixtures.ts";
import { UploadPace } from "./upload-pace.ts";

const kibibyte = 1_024;
const limits = {
  uploadReadBytesPerTurn: 100 * kibibyte,
  uploadReadBytesPerSecondMin: 1_000 * kibibyte,
};
/** With what a call costs, a turn is over. */
const turnBytes = 84 * kibibyte;

describe("the pace of uploads", () => {
  let clock: VirtualClock;
  let pace: UploadPace;

  beforeEach(() => {
    clock = new VirtualClock();
    pace = new UploadPace(clock, limits);
  });

  /** How long `turns` turns take, in virtual milliseconds. */
  async function take(turns: number): Promise<number> {
    const beganMs = clock.monotonicMs();
    for (let i = 0; i < turns; i += 1) {
      const reading = pace.read(turnBytes);
      await turn();
      if (clock.nextDueMs !== undefined) clock.fireNext();
      await reading;
    }
    return clock.monotonicMs() - beganMs;
  }

  it("is a little above that at which a round's bytes came", async () => {
    clock.advance(1_000);
    // At 6,000 KiB a second.
    pace.begin(6_000 * kibibyte);
    expect(await take(60)).toBeCloseTo(1_000 / 1.5, -1);
    clock.advance(1_000 - 1_000 / 1.5);
    pace.begin(3_000 * kibibyte);
    expect(await take(30)).toBeCloseTo(1_000 / 1.5, -1);
  });

  it("has a least", async () => {
    clock.advance(60_000);
    pace.begin(1);
    expect(await take(10)).toBeCloseTo(1_000, -1);
  });

  it("makes up for delays of turns, but not for an upload that took long", async () => {
    clock.advance(1_000);
    pace.begin(1_000 * kibibyte);
    const beganMs = clock.monotonicMs();
    for (let turns = 0; turns < 15; turns += 1) {
      clock.advance(50);
      await take(1);
    }
    expect(clock.monotonicMs() - beganMs).toBeCloseTo(1_000, -1);
    clock.advance(5_000);
    expect(await take(15)).toBeCloseTo(0);
    expect(await take(15)).toBeCloseTo(1_000, -1);
  });

  it("waits only after a turn's bytes, however many reads these are", async () => {
    pace.begin(1);
    let isOver = false;
    for (let i = 0; i < 5; i += 1) await pace.read(kibibyte);
    const sixth = pace.read(15 * kibibyte).then(() => {
      isOver = true;
    });
    await turn();
    expect([isOver, clock.pendingTimers]).toEqual([false, 1]);
    clock.fireNext();
    await sixth;
  });

  it("is that of the turns alone when somebody waits for the round", async () => {
    clock.advance(60_000);
    pace.begin(1);
    const reading = pace.read(turnBytes);
    await turn();
    expect(clock.pendingTimers).toBe(1);
    pace.hurry();
    await reading;
    expect(clock.pendingTimers).toBe(0);
    expect(await take(100)).toBe(0);
  });
});
