import { describe, expect, it } from "vitest";
import { CheckedReads } from "./checked-reads.ts";
import { CheckpointerRig, freshBuffers, smallLimits, turn, wire } from "./fixtures.ts";
import { TailGoneError, TailReader } from "./tail-reader.ts";
import type { ImageWish } from "./tail-reader.ts";
import { UploadPace } from "./upload-pace.ts";

/** A partition with so many batches, and a reader that makes a pause after each of them. */
function rigWith(batches: number) {
  const rig = new CheckpointerRig();
  const { clock, random } = rig;
  const owner = rig.owner(0);
  rig.append(owner, batches);
  const limits = { ...smallLimits, uploadReadBytesPerTurn: 1 };
  const pace = new UploadPace(clock, limits);
  const reads = new CheckedReads({ sideWork: rig.sideWork, buffers: freshBuffers, limits });
  const reader = new TailReader({ random, wire, limits, pace, reads, buffers: freshBuffers });
  const whole: ImageWish = {
    ...{ from: 0, to: owner.log.endOffset, targetBytes: Number.POSITIVE_INFINITY },
    producers: new Uint8Array(0),
  };
  const before = clock.pendingTimers;
  const isPausing = (): boolean => clock.pendingTimers > before;
  return { clock, isPausing, owner, read: () => reader.readImage(owner, whole) };
}

describe("a tail", () => {
  it("is read a part at a time, with turns for others between", async () => {
    const { clock, isPausing, owner, read } = rigWith(5);
    const reading = read();
    for (let pause = 1; pause <= 5; pause++) {
      await turn();
      expect(isPausing()).toBe(true);
      clock.advance(0);
    }
    await turn();
    expect(isPausing()).toBe(false);
    const image = await reading;
    expect(image.at("", 0).nextOffset).toBe(owner.log.endOffset);
  });

  it("is gone when its partition is over after such a turn", async () => {
    const { clock, isPausing, owner, read } = rigWith(2);
    const reading = read();
    const outcome = reading.catch((error: unknown) => error);
    await turn();
    expect(isPausing()).toBe(true);
    Object.assign(owner, { isOver: true });
    clock.advance(0);
    expect(await outcome).toBeInstanceOf(TailGoneError);
  });
});
