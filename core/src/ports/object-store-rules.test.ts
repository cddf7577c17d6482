import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AssertionError } from "../assert.ts";
import {
  assertObjectKey,
  assertObjectListing,
  assertObjectRange,
  objectPieces,
} from "./object-store-rules.ts";

describe("the rules of an object store", () => {
  it.each([
    "a",
    "a/b",
    "A-Z/0_9.=/...",
    ".hidden/a..b",
    `${"x".repeat(255)}/y`,
    "a/".repeat(511) + "a",
  ])("take %s for a key", (key) => {
    expect(() => assertObjectKey(key)).not.toThrow();
  });

  it.each(["", "/a", "a/", "a//b", ".", "..", "a/../b", "a/./b", "a b", "a\\b", "ä", "a\n", "a~"])(
    "refuse %j as a key",
    (key) => {
      expect(() => assertObjectKey(key)).toThrow(AssertionError);
    },
  );

  it("refuse a key and a segment of too many bytes", () => {
    expect(() => assertObjectKey(`${"a/".repeat(512)}a`)).toThrow(AssertionError);
    expect(() => assertObjectKey(`a/${"x".repeat(256)}`)).toThrow(AssertionError);
  });

  it("take the beginning of a key for a prefix, and nothing else", () => {
    const list = (prefix: string) => () => assertObjectListing({ prefix, limit: 1 });
    for (const prefix of ["", "a", "a/", "a/b", "a/b/", "a/.", "a/.."])
      expect(list(prefix)).not.toThrow();
    for (const prefix of ["/", "a//", "../", "a/../", "a/../b", "./a", "ü", "x".repeat(1025)]) {
      expect(list(prefix)).toThrow(AssertionError);
    }
  });

  it("refuse a page of none or of more than a thousand, and a range that is none", () => {
    for (const limit of [0, -1, 1.5, 1001, Number.NaN]) {
      expect(() => assertObjectListing({ prefix: "", limit })).toThrow(AssertionError);
    }
    expect(() => assertObjectListing({ prefix: "", limit: 1000 })).not.toThrow();
    for (const range of [
      { from: -1, bytes: 1 },
      { from: 0, bytes: -1 },
      { from: 0.5, bytes: 1 },
      { from: 2 ** 53 - 1, bytes: 1 },
    ]) {
      expect(() => assertObjectRange(range)).toThrow(AssertionError);
    }
    expect(() => assertObjectRange({ from: 0, bytes: 0 })).not.toThrow();
  });
});

describe("the pieces of an object", () => {
  it("are of one length but the last, and one after another are its parts", () => {
    const parts = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 10 });
    fc.assert(
      fc.property(parts, fc.integer({ min: 1, max: 30 }), (parts, pieceBytes) => {
        const all = parts.flatMap((part) => [...part]);
        const pieces = [...objectPieces(parts, pieceBytes)].map((piece) =>
          piece.flatMap((view) => [...view]),
        );
        expect(pieces.flat()).toEqual(all);
        expect(pieces).toHaveLength(Math.ceil(all.length / pieceBytes));
        for (const piece of pieces.slice(0, -1)) expect(piece).toHaveLength(pieceBytes);
      }),
    );
  });
});
