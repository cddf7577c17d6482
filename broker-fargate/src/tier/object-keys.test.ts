import { assertObjectKey, topicId } from "@millrace/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clusterId, formerIncarnation, incarnation, topic } from "./fixtures.ts";
import {
  checkpointKey,
  checkpointNumber,
  checkpointPrefix,
  dataPrefix,
  readSegmentKey,
  segmentKey,
} from "./object-keys.ts";

const int32 = fc.nat(0x7fff_ffff);
const segmentNames = fc.record({
  topicId: fc.stringMatching(/^[0-9a-f]{31}[1-9a-f]$/).map(topicId),
  partition: int32,
  baseOffset: fc.maxSafeNat(),
  slot: int32,
  epoch: int32,
  nonce: fc.stringMatching(/^[0-9a-f]{16}$/),
});

describe("a cold segment's key", () => {
  it("says of which partition it is, and who wrote it", () => {
    fc.assert(
      fc.property(segmentNames, (name) => {
        const key = segmentKey(clusterId, name);
        assertObjectKey(key);
        const { nonce, ...told } = name;
        expect(readSegmentKey(clusterId, key)).toEqual(told);
        expect(key.endsWith(nonce)).toBe(true);
        expect(key.startsWith(dataPrefix(clusterId))).toBe(true);
      }),
      { seed: 1, numRuns: 20 },
    );
  });

  it("spreads a partition's segments over prefixes", () => {
    const keyAt = (baseOffset: number): string => {
      const fields = { partition: 0, slot: 0, epoch: 1, nonce: "0123456789abcdef" };
      return segmentKey(clusterId, { topicId: topic, baseOffset, ...fields });
    };
    const begin = dataPrefix(clusterId).length;
    const prefixes = Array.from({ length: 64 }, (_, i) => keyAt(i).slice(begin, begin + 4));
    expect(new Set(prefixes).size).toBeGreaterThan(50);
  });

  it("is told from what others have put there, also from what only looks like one", () => {
    const offset = "0".repeat(20);
    const good = `0abc/${topic}/0/${offset}-1-2-0123456789abcdef`;
    expect(readSegmentKey(clusterId, `${clusterId}/data/${good}`)).toBeDefined();
    for (const other of [
      `other/data/${good}`,
      `${clusterId}/data/${good}/x`,
      `${clusterId}/data/x${good}`,
      `${clusterId}/data/${good.replace(topic, "0".repeat(32))}`,
      `${clusterId}/data/${good.replace("-1-2-", "-99999999999-2-")}`,
      `${clusterId}/data/${good.replace("-1-2-", "-1-99999999999-")}`,
      `${clusterId}/data/${good.replace("/0/", "/9999999999/")}`,
      checkpointKey(clusterId, incarnation, 1),
    ]) {
      expect([other, readSegmentKey(clusterId, other)]).toEqual([other, undefined]);
    }
  });
});

describe("a checkpoint's key", () => {
  it("says its number, and sorts by it within its incarnation", () => {
    const numbers = [0, 9, 10, 2 ** 50];
    const keys = numbers.map((number) => checkpointKey(clusterId, incarnation, number));
    expect(keys.map(checkpointNumber)).toEqual(numbers);
    expect(keys.toSorted()).toEqual(keys);
    for (const key of keys) {
      assertObjectKey(key);
      expect(key.startsWith(checkpointPrefix(clusterId, incarnation))).toBe(true);
      expect(key.startsWith(checkpointPrefix(clusterId, formerIncarnation))).toBe(false);
    }
  });
});
