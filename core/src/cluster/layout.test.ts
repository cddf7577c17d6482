import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { slot, topicId } from "../ids.ts";
import { keys, keysUnder, unescapedName } from "./keys.ts";
import { hashOf, slotOfGroup, slotOfLater, slotOfPartition } from "./slots.ts";
import { collisionKey, isInternalTopicName, topicNameFault } from "./topic-name.ts";

const id = topicId("0123456789abcdef0123456789abcdef");

describe("slots", () => {
  it("are what format 1 says, for ever", () => {
    const texts = ["", id, "orders", "gr\u00fcppe"];
    expect(texts.map((text) => hashOf(text))).toEqual([
      2872998923, 465769855, 3502484104, 2579845146,
    ]);
    const partitions = [0, 1, 2].map((partition) => slotOfPartition(id, partition, 1024));
    expect(partitions).toEqual([383, 384, 385]);
    expect(slotOfGroup("orders", 1024)).toBe(648);
  });

  it("differ for consecutive partitions of a topic", () => {
    const slots = Array.from({ length: 1024 }, (_, p) => slotOfPartition(id, p, 1024));
    expect(new Set(slots).size).toBe(1024);
    expect(slotOfPartition(id, 1024, 1024)).toBe(slots[0]);
  });

  it("follow from that of a topic's partition 0", () => {
    const size = fc.integer({ min: 1, max: 4096 });
    fc.assert(
      fc.property(size, fc.nat(1_000_000), (slots, partition) => {
        const first = slotOfPartition(id, 0, slots);
        expect(slotOfLater(first, partition, slots)).toBe(slotOfPartition(id, partition, slots));
      }),
    );
  });

  it("are filled evenly by names that differ a little", () => {
    const counts = Array.from({ length: 64 }, () => 0);
    for (let n = 0; n < 6400; n += 1) {
      const group = slotOfGroup(`group-${n}`, 64);
      counts[group] = (counts[group] ?? 0) + 1;
    }
    for (const count of counts) expect(Math.abs(count - 100)).toBeLessThan(50);
  });
});

describe("keys", () => {
  it("put everything of a slot into one range, slots in their order", () => {
    const of = (n: number): string[] => [
      keys.head(slot(n)),
      keys.dirty(slot(n), id, 7),
      keys.partition(slot(n), id, 7),
      keys.group(slot(n), "my group/1"),
      keys.offsets(slot(n), "my group/1", "b0"),
    ];
    const range = keysUnder(keys.slot(slot(9)), 1);
    for (const key of of(9)) expect(range.from <= key && key < range.to).toBe(true);
    for (const key of [...of(8), ...of(10), ...of(90), ...of(1000)]) {
      expect(range.from <= key && key < range.to).toBe(false);
    }
    expect(keys.head(slot(9)) < keys.head(slot(10))).toBe(true);
  });

  it("keep any name apart from any other, and give it back", () => {
    const names = fc.string({ unit: "binary", maxLength: 20 });
    fc.assert(
      fc.property(names, names, (a, b) => {
        const key = keys.group(slot(0), a);
        const text = key.slice(key.lastIndexOf("/") + 1);
        expect(text).toMatch(/^[A-Za-z0-9._~-]+$/);
        expect(unescapedName(text)).toBe(a);
        expect(keys.group(slot(0), b) === key).toBe(a === b);
      }),
      { numRuns: 50 },
    );
    const lonely = keys.topic("\ud800");
    expect(unescapedName(lonely.slice("topic/".length))).toBe("\ud800");
  });
});

describe("a topic's name", () => {
  it.each([
    ["", "the empty string is not allowed"],
    [".", "'.' is not allowed"],
    ["..", "'..' is not allowed"],
    [
      "a b",
      "'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
    ],
    [
      "\u00e4",
      "'\u00e4' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
    ],
    [
      "a\n",
      "'a\n' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
    ],
  ])("is refused in Kafka's words: %j", (name, fault) => {
    expect(topicNameFault(name)).toBe(fault);
  });

  it("has up to 249 letters, digits, dots, dashes and underscores", () => {
    expect(topicNameFault("x".repeat(249))).toBeUndefined();
    expect(topicNameFault("x".repeat(250))).toContain("longer than the max allowed length 249");
    for (const name of ["...", "a.b_c-D9", "__consumer_offsets"]) {
      expect(topicNameFault(name)).toBeUndefined();
    }
  });

  it("collides with another that differs in dots and underscores only", () => {
    expect(collisionKey("a.b_c")).toBe(collisionKey("a_b.c"));
    expect(collisionKey("a-b")).not.toBe(collisionKey("a_b"));
    expect(isInternalTopicName("__transaction_state")).toBe(true);
    expect(isInternalTopicName("_schemas")).toBe(false);
  });
});
