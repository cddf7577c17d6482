import { DiskError, SideWorkError } from "@millrace/core";
import type { ReadRange } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { CheckedReads } from "./checked-reads.ts";
import { CheckpointerRig, freshBuffers, smallLimits, turn, wire } from "./fixtures.ts";
import { TailGoneError, TailReader } from "./tail-reader.ts";
import { UploadPace } from "./upload-pace.ts";

/** A partition with some batches, and a reader of them for whom nobody waits. */
function rigWith(changes: { readonly asideReadBytesMin?: number } = {}) {
  const rig = new CheckpointerRig({ segmentBytes: 10_000 });
  const { clock, random, sideWork } = rig;
  const owner = rig.owner(0);
  rig.append(owner, 6);
  const limits = { ...smallLimits, chunkBytes: 10_000, ...changes };
  const reads = new CheckedReads({ sideWork, buffers: freshBuffers, limits });
  const pace = new UploadPace(clock, limits);
  const tails = new TailReader({ random, wire, limits, pace, reads });
  const to = owner.log.endOffset;
  const range: ReadRange = {
    ...{ from: 0, upTo: to, maxBytes: 10_000, atLeastOneBatch: true },
    checkedBelow: Number.POSITIVE_INFINITY,
  };
  const readImage = () => {
    const wish = { from: 0, to, targetBytes: Number.POSITIVE_INFINITY, producers: none };
    return tails.readImage(owner, wish);
  };
  return { ...{ owner, pace, range, readImage, reads, rig, sideWork } };
}

const none = new Uint8Array(0);

describe("a tail's part", () => {
  it("is read and checked by a thread, and the image is the same as without", async () => {
    const { pace, readImage, sideWork } = rigWith();
    pace.begin(1);
    const aside = await readImage();
    expect(sideWork.calls).toBe(1);
    pace.hurry();
    const inTurn = await readImage();
    expect(sideWork.calls).toBe(1);
    // But for the nonce: the last part is the tail, which has one.
    expect(aside.parts.slice(0, -1)).toEqual(inTurn.parts.slice(0, -1));
    expect(aside.at("", 0)).toEqual(inTurn.at("", 0));
  });

  it("is read in a turn where it is small", async () => {
    const { pace, readImage, sideWork } = rigWith({ asideReadBytesMin: 10_000 });
    pace.begin(1);
    await readImage();
    expect(sideWork.calls).toBe(0);
  });

  it("is read in a turn where the thread could not: it died, is busy, or found the file short", async () => {
    const { pace, readImage, sideWork } = rigWith();
    pace.begin(1);
    const expected = (await readImage()).parts.slice(0, -1);
    for (const reason of ["died", "busy", "unread", "closed"] as const) {
      sideWork.onCall = () => {
        throw new SideWorkError(reason, "planted");
      };
      expect((await readImage()).parts.slice(0, -1)).toEqual(expected);
    }
  });

  it("is damaged where its file is, and none of it is taken", async () => {
    const { owner, pace, range, readImage, reads } = rigWith();
    pace.begin(1);
    const place = owner.log.placeOf(range);
    place?.file.write(70, [Uint8Array.of(0xff)]);
    const ahead = await reads.ahead(owner.log, range);
    expect(ahead?.soundBytes).toBe(0);
    await expect(readImage()).rejects.toBeInstanceOf(DiskError);
  });

  it("is gone when its partition is over while the thread reads", async () => {
    const { owner, pace, readImage, sideWork } = rigWith();
    pace.begin(1);
    sideWork.onCall = () => void Object.assign(owner, { isOver: true });
    const outcome = readImage().catch((error: unknown) => error);
    await turn();
    expect(await outcome).toBeInstanceOf(TailGoneError);
  });
});
