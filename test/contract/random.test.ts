import { SeededRandom } from "@millrace/adapter-memory";
import { SystemRandom } from "@millrace/adapter-node";
import type { Random } from "@millrace/core";
import { describe, expect, test } from "vitest";

const subjects: readonly [string, () => Random][] = [
  ["seeded", () => new SeededRandom(7)],
  ["the system's", () => new SystemRandom()],
];

describe.each(subjects)("%s randomness", (_name, open) => {
  test("gives as many bytes as asked for, in a buffer of their own", () => {
    const random = open();
    const first = random.bytes(16);
    const second = random.bytes(16);
    expect([first.length, first.buffer.byteLength]).toEqual([16, 16]);
    expect(second).not.toEqual(first);
    expect(random.bytes(0)).toHaveLength(0);
  });

  test("reaches every number below the limit, and none at or above it", () => {
    const random = open();
    const seen = new Set(Array.from({ length: 500 }, () => random.below(5)));
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4]);
    const large = Array.from({ length: 500 }, () => random.below(2 ** 32));
    expect(Math.max(...large)).toBeLessThan(2 ** 32);
    expect(Math.max(...large)).toBeGreaterThan(2 ** 31);
  });
});
