import { describe, expect, test } from "vitest";
import type { Item, ItemValue } from "../ports/metadata-store.ts";
import { readHead } from "./head.ts";
import { readHeartbeat } from "./heartbeat.ts";
import { readJournalItem } from "./journal-item.ts";
import { readLeadership } from "./leadership-item.ts";
import { readMember } from "./member.ts";
import { readTopic } from "./topic.ts";
import { readingItem, UnreadableItemError } from "./unreadable-item.ts";

const incarnation = `3-${"5a".repeat(16)}`;
const topic = { name: "orders", id: "0", partitions: 1, replicationFactor: 1, configs: {} };

interface Damaged {
  readonly what: string;
  readonly key: string;
  readonly value: ItemValue;
  readonly read: (item: Item) => unknown;
}

const all: readonly Damaged[] = [
  {
    what: "a null among sources",
    key: "head",
    value: { epoch: 1, sources: [null] },
    read: readHead,
  },
  {
    what: "an owner that is no id",
    key: "head",
    value: { owner: "x", epoch: 1, sources: [] },
    read: readHead,
  },
  { what: "half an epoch", key: "head", value: { epoch: 1.5, sources: [] }, read: readHead },
  {
    what: "a null among assignments",
    key: "leadership",
    value: { epoch: 1, incarnations: 1, assignments: [null] },
    read: (item) => readLeadership(item, 4),
  },
  {
    what: "an incarnation in another form",
    key: "leadership",
    value: { epoch: 1, incarnations: 1, controller: "4", assignments: [] },
    read: (item) => readLeadership(item, 4),
  },
  {
    what: "an id that is none",
    key: "topic/orders",
    value: { ...topic, stamp: "" },
    read: readTopic,
  },
  {
    what: "a broker below zero",
    key: `incarnation/${incarnation}`,
    value: { broker: -1, state: "open", trim: 0 },
    read: readMember,
  },
  {
    what: "a key that is none",
    key: "incarnation/x",
    value: { state: "open", trim: 0 },
    read: readJournalItem,
  },
  {
    what: "a key that is none",
    key: "heartbeat/x",
    value: { counter: 1, durable: 1, load: 1, slots: [] },
    read: readHeartbeat,
  },
];

describe("an item that cannot be read says which it is, whatever is wrong in it", () => {
  test.for(all)("$key: $what", ({ key, read, value }) => {
    const reading = (): unknown => read({ key, version: 1, value });
    expect(reading).toThrow(UnreadableItemError);
    expect(reading).toThrow(`metadata item ${key} cannot be read: `);
  });

  test("what was refused further in is its cause", () => {
    const cause = new RangeError("no id");
    const reading = (): unknown =>
      readingItem("a", () => {
        throw cause;
      });
    expect(reading).toThrow(expect.objectContaining({ cause }));
  });
});
