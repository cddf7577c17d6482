import { DiskError, isShared, summarizeBatch, viewOf } from "@millrace/core";
import { crc32c } from "@millrace/wire";
import { describe, expect, it } from "vitest";
import {
  appendAll,
  batchFormat,
  type TestBatch,
  testBatch,
} from "../../../test/fixtures/partition-log.ts";
import { CheckedReads } from "./checked-reads.ts";
import { CheckpointerRig, smallLimits, turn, wire } from "./fixtures.ts";
import { objectTriesMax } from "./limits.ts";
import { TailGoneError, TailReader } from "./tail-reader.ts";
import { UploadPace } from "./upload-pace.ts";

const { checkpointDueMs } = smallLimits;
/** A thread reads whole batches, and nobody hurries. */
const room = { chunkBytes: 450, cachedBytesMax: 10_000, hurriedJournalBytesMin: 1e9 };
const none = new Uint8Array(0);

/** A partition with some batches, each of which a thread reads into memory of its own. */
function rigOfTail() {
  const rig = new CheckpointerRig({ segmentBytes: 10_000 });
  const { buffers, clock, random, sideWork } = rig;
  const owner = rig.owner(0);
  rig.append(owner, 6);
  const limits = { ...smallLimits, chunkBytes: 200, asideReadBytesMin: 1 };
  const pace = new UploadPace(clock, limits);
  pace.begin(1);
  const reads = new CheckedReads({ sideWork, buffers, limits });
  const tails = new TailReader({ random, wire, limits, pace, reads, buffers });
  const readImage = (to = owner.log.endOffset) =>
    tails.readImage(owner, { from: 0, to, targetBytes: Number.POSITIVE_INFINITY, producers: none });
  return { held: buffers.held, owner, pace, readImage, rig, sideWork };
}

describe("the memory that uploads are read into", () => {
  it("is the image's, run by run", async () => {
    const { held, readImage, sideWork } = rigOfTail();
    const { runs } = await readImage();
    expect(sideWork.calls).toBeGreaterThan(2);
    expect(new Set(runs.map(({ buffer }) => buffer))).toEqual(held);
  });

  it("comes back when a later batch is damaged", async () => {
    const { held, owner, readImage, sideWork } = rigOfTail();
    const { bytes = 0, file } = owner.log.placeOf(wholeOf(owner.log.endOffset)) ?? {};
    file?.write(bytes - 3, [Uint8Array.of(0xff)]);
    await expect(readImage()).rejects.toBeInstanceOf(DiskError);
    expect(sideWork.calls).toBeGreaterThan(2);
    expect(held.size).toBe(0);
  });

  it("comes back when the partition is over while a thread reads", async () => {
    const { held, owner, readImage, sideWork } = rigOfTail();
    sideWork.onCall = () => void (owner.isOver = sideWork.calls === 3);
    await expect(readImage()).rejects.toBeInstanceOf(TailGoneError);
    expect(held.size).toBe(0);
  });

  it("comes back when what it was read for is deleted meanwhile", async () => {
    const { held, owner, readImage, sideWork } = rigOfTail();
    sideWork.onCall = (calls) => owner.log.advanceStartOffset(calls);
    await expect(readImage()).rejects.toBeInstanceOf(TailGoneError);
    expect(held.size).toBe(0);
  });

  it("comes back when the log's places changed, and the log read again", async () => {
    const { held, owner, readImage, sideWork } = rigOfTail();
    sideWork.onCall = () => owner.log.truncateTo(5);
    const { runs } = await readImage();
    expect(isShared(runs[0] ?? none)).toBe(false);
    const shared = runs.filter((run) => isShared(run));
    expect(shared.length).toBeGreaterThan(0);
    expect(new Set(shared.map(({ buffer }) => buffer))).toEqual(held);
  });

  it("comes back when a batch is larger than what was read ahead", async () => {
    const { held, readImage, rig, owner } = rigOfTail();
    rig.append(owner, 1, 500);
    const { runs } = await readImage(owner.log.endOffset);
    const shared = runs.filter((run) => isShared(run));
    expect(shared.length).toBe(runs.length - 1);
    expect(new Set(shared.map(({ buffer }) => buffer))).toEqual(held);
  });

  it("comes back when the image has no room for it, after a gap between offsets", async () => {
    const { held, owner, readImage } = rigOfTail();
    for (let i = 0; i < 3; i += 1) appendAll(owner.log, [withGap(owner.log.endOffset)]);
    const image = await readImage();
    expect(image.at("", 0).nextOffset).toBeLessThan(owner.log.endOffset);
    expect(new Set(image.runs.map(({ buffer }) => buffer))).toEqual(held);
  });

  it("comes back when nothing of it may be read", async () => {
    const { held, owner, readImage } = rigOfTail();
    appendAll(owner.log, [withGap(6)]);
    const { runs } = await readImage(7);
    expect(new Set(runs.map(({ buffer }) => buffer))).toEqual(held);
  });

  it("comes back when its checkpoint can't be stored, and that of what waits for the next one", async () => {
    const rig = new CheckpointerRig({ limits: { ...smallLimits, ...room } });
    for (let at = 0; at < 12; at += 1) rig.append(rig.owner(at), 4);
    rig.objectFaults.plan("put", ...Array(objectTriesMax).fill("slowDown"));
    await rig.pass(checkpointDueMs);
    while (rig.warnings.length === 0) await rig.pass(1);
    expect(rig.warnings).toEqual(["a checkpoint could not be written"]);
    expect(rig.sideWork.calls).toBeGreaterThan(4);
    expect(rig.buffers.held.size).toBe(0);
  });

  it("comes back when somebody comes to wait for the round while a thread reads", async () => {
    const { held, pace, readImage, sideWork } = rigOfTail();
    sideWork.onCall = (calls) => {
      if (calls === 3) pace.hurry();
    };
    const { runs } = await readImage();
    await turn();
    expect(sideWork.calls).toBe(3);
    const shared = runs.filter((run) => isShared(run));
    expect(shared).toHaveLength(2);
    expect(new Set(shared.map(({ buffer }) => buffer))).toEqual(held);
  });

  it("comes back after rounds of all kinds, as the object store fails and recovers", async () => {
    const rig = new CheckpointerRig({ limits: { ...smallLimits, ...room } });
    const owners = Array.from({ length: 12 }, (_, at) => rig.owner(at, at % 3));
    for (let round = 0; round < 12; round += 1) {
      const isFailing = round % 3 === 1;
      rig.objectFaults.rates = { perThousand: isFailing ? { slowDown: 950 } : {} };
      for (const [at, owner] of owners.entries()) rig.append(owner, 1 + ((at + round) % 9));
      await rig.pass(3 * checkpointDueMs);
    }
    await turn();
    expect(rig.warnings.length).toBeGreaterThan(0);
    expect(rig.sideWork.calls).toBeGreaterThan(100);
    expect(rig.checkpointer.dirtyPartitions).toBe(0);
    expect(rig.buffers.held.size).toBe(0);
  });
});

/** A batch of one record that takes 2^31 offsets, as compaction leaves it. */
function withGap(baseOffset: number): TestBatch {
  const { bytes } = testBatch({ baseOffset, valueBytes: 130 });
  const view = viewOf(bytes);
  view.setInt32(23, 2 ** 31 - 1);
  view.setUint32(17, crc32c(bytes.subarray(21)));
  return { bytes, summary: summarizeBatch(batchFormat, view, 0), timestamps: [-1] };
}

function wholeOf(upTo: number) {
  return { from: 0, upTo, maxBytes: 100_000, atLeastOneBatch: true };
}
