import { expect, test } from "vitest";
import { hashKey } from "./key-hash.ts";

const seed = new Uint32Array(Uint8Array.from({ length: 16 }, (_, i) => i).buffer);

function hashOf(bytes: Uint8Array, from = 0, length: number = bytes.length - from): string {
  const into = new Int32Array(4);
  hashKey({ bytes, from, length }, seed, into);
  return Buffer.from(into.buffer).toString("hex");
}

// Of an implementation in 64-bit integers that gives the published vectors of SipHash-2-4-128.
test.each([
  [0, "e77ebcb22788a5befd62db6add303001"],
  [1, "fc6f370460d3eda85e0573cc2b2ff063"],
  [7, "1084b923f2aae0c3a62f2ec80848ab77"],
  [8, "aa12fee1d5e3dab4724f16ab35f9c799"],
  [9, "81ddb8042cf33994f4720e0094137c42"],
  [15, "c17e5505b2bd526c2921cdec1e7e0109"],
  [16, "d0a8d95715518eebb513b0f83d9e1793"],
  [63, "4c5800e34efe426f079f6b0aa75260ad"],
  [255, "f528a4c10a2158a5f1a465d0aebb3ee9"],
  [300, "3165ead62761c51719819dcf73cd572b"],
])("a key of %d bytes has the hash of SipHash-1-3 with 128 bits", (length, expected) => {
  expect(hashOf(Uint8Array.from({ length }, (_, i) => i & 255))).toBe(expected);
});

test("only the key's own bytes count, wherever they lie", () => {
  const key = Uint8Array.from([9, 8, 7, 6, 5]);
  const around = Uint8Array.from([1, 2, 3, ...key, 4, 4, 4, 4]);
  expect(hashOf(around, 3, 5)).toBe(hashOf(key));
});

test("another seed is another function", () => {
  const into = new Int32Array(4);
  const bytes = Uint8Array.from([1]);
  hashKey({ bytes, from: 0, length: 1 }, Uint32Array.from([1, 2, 3, 4]), into);
  expect(Buffer.from(into.buffer).toString("hex")).not.toBe(hashOf(bytes));
});
