import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { expect, it } from "vitest";
import { lz4Codec } from "./lz4.ts";

const decompressedBytesMax = 67_108_864;
const blocks = 2_000_000;

/** What the codec says of the bytes in a thread with little memory, or that it ran out of it. */
async function decompressed(codec: "lz4" | "snappy", bytes: Uint8Array): Promise<unknown> {
  const url = new URL(`./${codec}.ts`, import.meta.url).href;
  const text = `
    const { parentPort, workerData } = require("node:worker_threads");
    import(${JSON.stringify(url)}).then(({ ${codec}Codec }) => {
      parentPort.postMessage(${codec}Codec.decompress(workerData, ${decompressedBytesMax}).length);
    });`;
  const resourceLimits = { maxOldGenerationSizeMb: 32 };
  const worker = new Worker(text, { eval: true, resourceLimits, workerData: bytes });
  try {
    const [said] = (await once(worker, "message")) as readonly unknown[];
    return said;
  } finally {
    await worker.terminate();
  }
}

/** A frame of `times` the same block. */
function lz4Frame(block: number, times: number): Uint8Array {
  const empty = lz4Codec.compress(new Uint8Array(0));
  const headerBytes = empty.length - 4;
  const frame = new Uint8Array(headerBytes + times * 4 + 4);
  frame.set(empty.subarray(0, headerBytes));
  const view = new DataView(frame.buffer);
  for (let i = 0; i < times; i++) view.setUint32(headerBytes + i * 4, block, true);
  return frame;
}

/** xerial's framing around raw streams of no bytes. */
function snappyFrame(times: number): Uint8Array {
  const header = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1];
  const frame = new Uint8Array(header.length + times * 5);
  frame.set(header);
  const view = new DataView(frame.buffer);
  for (let i = 0; i < times; i++) view.setUint32(header.length + i * 5, 1);
  return frame;
}

it("lz4 takes no memory for blocks that yield nothing", async () => {
  expect(await decompressed("lz4", lz4Frame(0x80000000, blocks))).toBe(0);
});

it("snappy takes no memory for chunks that yield nothing", async () => {
  expect(await decompressed("snappy", snappyFrame(blocks))).toBe(0);
});
