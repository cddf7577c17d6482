import { MemoryDisk } from "@millrace/adapter-memory";
import { DiskError, SideWorkError, summarizeBatch, viewOf } from "@millrace/core";
import type { ReadRange, SideWork } from "@millrace/core";
import { crc32c, decodeImageTail } from "@millrace/wire";
import { describe, expect, it } from "vitest";
import { textBatch } from "../../../test/fixtures/compaction.ts";
import { baseOffsetsIn, batchFormat, openTestLog } from "../../../test/fixtures/partition-log.ts";
import { BufferPool } from "../buffer-pool.ts";
import { runRound } from "../compaction/fixtures.ts";
import { CheckedReads } from "./checked-reads.ts";
import { bytesIn, CheckpointerRig, smallLimits, turn, wire } from "./fixtures.ts";
import type { WrittenImage } from "./image-writer.ts";
import { TailGoneError, TailReader } from "./tail-reader.ts";
import { UploadPace } from "./upload-pace.ts";

/** A partition with some batches, and a reader of them for whom nobody waits. */
function rigWith(changes: { readonly asideReadBytesMin?: number } = {}) {
  const rig = new CheckpointerRig({ segmentBytes: 10_000 });
  const { clock, random, sideWork } = rig;
  const owner = rig.owner(0);
  rig.append(owner, 6);
  const limits = { ...smallLimits, chunkBytes: 10_000, ...changes };
  const { buffers } = rig;
  const reads = new CheckedReads({ sideWork, buffers, limits });
  const pace = new UploadPace(clock, limits);
  const tails = new TailReader({ random, wire, limits, pace, reads, buffers });
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

/** A log over memory that is used again, whose batches are all as long; of each two one is left. */
async function pairsOfKeys() {
  const rig = new CheckpointerRig();
  const buffers = new BufferPool(256);
  const config = { segmentBytes: 4_000, segmentMs: 1e15, segmentIndexBytes: 10_000 };
  const log = openTestLog(new MemoryDisk(), {
    ...{ buffers, config: { ...config, indexIntervalBytes: 1 } },
  });
  for (let offset = 0; offset < 200; offset += 1) {
    const key = `k${String(Math.floor(offset / 2)).padStart(4, "0")}`;
    const record = { key, value: String(offset).padStart(30, "0") };
    const bytes = textBatch([record], { baseOffset: offset });
    log.append([bytes], [summarizeBatch(batchFormat, viewOf(bytes), 0)], 0);
  }
  await log.sync();
  return { buffers, log, rig, owner: { ...rig.owner(0), log } };
}

function crcOf({ runs }: WrittenImage): number {
  return crc32c(bytesIn(runs));
}

function crcSaidBy({ bytes, parts }: WrittenImage): unknown {
  const decoded = decodeImageTail(parts.at(-1) ?? none, { crc32c, objectBytes: bytes });
  return decoded.kind === "ok" ? decoded.tail.footer.batchesCrc : decoded;
}

describe("a tail's part", () => {
  it("is read and checked by a thread, and the image is the same as without", async () => {
    const { pace, readImage, sideWork } = rigWith();
    pace.begin(1);
    const aside = await readImage();
    expect(sideWork.calls).toBe(1);
    pace.hurry();
    const inTurn = await readImage();
    expect(sideWork.calls).toBe(1);
    expect(aside.runs).toEqual(inTurn.runs);
    expect(aside.at("", 0)).toEqual(inTurn.at("", 0));
    for (const image of [aside, inTurn]) expect(crcSaidBy(image)).toBe(crcOf(image));
  });

  it("has its own CRC though compaction took its place, and its memory, while the thread read", async () => {
    const { buffers, log, owner, rig } = await pairsOfKeys();
    let outcome: unknown;
    const direct = rig.sideWork.run.bind(rig.sideWork);
    const sideWork: SideWork = {
      run: async (call) => {
        const read = await direct(call);
        outcome ??= await runRound(log);
        return read;
      },
      close: () => Promise.resolve(),
    };
    const limits = { ...smallLimits, chunkBytes: 2_048 };
    const reads = new CheckedReads({ sideWork, buffers, limits });
    const pace = new UploadPace(rig.clock, limits);
    const tails = new TailReader({ random: rig.random, wire, limits, pace, reads, buffers });
    pace.begin(1);
    const wish = { from: 0, to: log.endOffset, targetBytes: 2_000, producers: none };
    const image = await tails.readImage(owner, wish);
    expect(outcome).toBeDefined();
    // The former of each pair is gone.
    expect(baseOffsetsIn(image.runs).slice(0, 3)).toEqual([1, 3, 5]);
    expect(crcSaidBy(image)).toBe(crcOf(image));
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
    const expected = (await readImage()).runs;
    for (const reason of ["died", "busy", "unread", "closed"] as const) {
      sideWork.onCall = () => {
        throw new SideWorkError(reason, "planted");
      };
      expect((await readImage()).runs).toEqual(expected);
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

  it("is not waited for by who comes to wait for the round", async () => {
    const { pace, readImage, rig } = rigWith();
    const { sideWork } = rig;
    pace.begin(1);
    Object.assign(sideWork, { run: () => new Promise(() => undefined) });
    const reading = readImage();
    await turn();
    pace.hurry();
    expect((await reading).at("", 0).nextOffset).toBe(6);
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
