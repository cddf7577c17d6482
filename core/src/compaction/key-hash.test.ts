import { expect, test } from "vitest";
import { expandSeed, hashKeys, type KeyColumns } from "./key-hash.ts";

const seed = expandSeed(Int32Array.of(0x833d3433, 0x009f389f, 0x2398e64f, 0x417acf39));

interface Place {
  readonly from: number;
  readonly length: number;
}

function keysIn(body: Uint8Array, places: readonly Place[]): KeyColumns {
  const keyAts = Int32Array.from(places, ({ from }) => from);
  const keyBytes = Int32Array.from(places, ({ length }) => length);
  return { count: places.length, body, keyAts, keyBytes };
}

function words(hash: Int32Array): string {
  return [...hash].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join(" ");
}

function hashOf(bytes: Uint8Array, from = 0, length: number = bytes.length - from): string {
  const into = new Int32Array(4);
  hashKeys(keysIn(bytes, [{ from, length }]), seed, into);
  return words(into);
}

// The vectors of the reference implementation of Chaskey-12.
test.each([
  [0, "43cb1f41 51eba0c2 ff0a8ac3 7ee3f642"],
  [1, "f9ac2067 9c35a846 441aad3d 777b7330"],
  [3, "8c5e6ab9 5035adfb bff69f98 965516d9"],
  [4, "0b2b62db 1e9e3f50 a1b8dcad b4279ae0"],
  [8, "9faf57d6 f4bc02cf 6af6d831 d2930d90"],
  [12, "c040258c f25392c0 9f6b5dc0 35c3d638"],
  [15, "03cfb44b 283c8163 fca71448 c40a0aea"],
  [16, "5dd0e2a9 fb5eac8c 633a392e 500c36f3"],
  [17, "8b5f6d5a 202314f6 22092368 9639e606"],
  [31, "1d3d30b1 01d74fca 3b2eb54c d8cd36b4"],
  [32, "77962784 07c647fa dd752c0f d2f5a799"],
  [33, "d74bb867 2c0dfb3a b697e9cd 5658edda"],
  [48, "f36e748b 8f34677f 1e00ba1b dd7da46d"],
  [63, "2dd072e1 42b89efe fb26b615 049aa451"],
])("a key of %d bytes has the hash of Chaskey-12", (length, expected) => {
  expect(hashOf(Uint8Array.from({ length }, (_, i) => i))).toBe(expected);
});

test("only the key's own bytes count, wherever they lie", () => {
  const key = Uint8Array.from([9, 8, 7, 6, 5]);
  const around = Uint8Array.from([1, 2, 3, ...key, 4, 4, 4, 4]);
  expect(hashOf(around, 3, 5)).toBe(hashOf(key));
});

test("each of many keys has its hash in its place, and null keys have none", () => {
  const bytes = Uint8Array.from({ length: 40 }, (_, i) => i * 3);
  const into = new Int32Array(16).fill(7);
  const places = [
    { from: 3, length: 20 },
    { from: 0, length: -1 },
    { from: 30, length: 0 },
    { from: 39, length: 1 },
  ];
  hashKeys(keysIn(bytes, places), seed, into);
  const found = places.map((_, i) => words(into.subarray(i * 4, i * 4 + 4)));
  const untouched = words(new Int32Array(4).fill(7));
  expect(found).toEqual(
    places.map(({ from, length }) => (length < 0 ? untouched : hashOf(bytes, from, length))),
  );
});

test("another seed is another function", () => {
  const into = new Int32Array(4);
  const bytes = Uint8Array.from([1]);
  const other = expandSeed(Int32Array.from([1, 2, 3, 4]));
  hashKeys(keysIn(bytes, [{ from: 0, length: 1 }]), other, into);
  expect(words(into)).not.toBe(hashOf(bytes));
});
