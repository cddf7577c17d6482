import { describe, expect, it } from "vitest";
import { brokerId, epoch, incarnationId, slot } from "../ids.ts";
import type { Item, ItemValue } from "../ports/metadata-store.ts";
import { heartbeatItem, readHeartbeat } from "./heartbeat.ts";
import {
  checkOpen,
  decideCheckpoint,
  decideClosed,
  decideClosing,
  decideGracefulEnd,
  decideTrim,
  incarnationOfKey,
  type JournalChange,
  judgeRefusal,
  readJournalItem,
} from "./journal-item.ts";
import { keys } from "./keys.ts";
import { hotSlotsMax } from "./limits.ts";
import { isCompatible, memberItem, readMember } from "./member.ts";

const id = incarnationId(`7-${"ab".repeat(16)}`);
const key = keys.incarnation(id);
const itemOf = (value: ItemValue, version = 3): Item => ({ key, version, value });
const open = itemOf({ state: "open", broker: 1, epoch: 2, trim: 4, more: "kept" });
const closing = itemOf({ ...open.value, state: "closing" }, 4);
const closed = itemOf({ ...open.value, state: "closed", end: 9 }, 5);

/** The value that a change writes, or what it is instead. */
function written(change: JournalChange): ItemValue | string {
  if (change.kind !== "write") return change.kind;
  if (change.write.kind !== "put") throw new Error(change.write.kind);
  return change.write.value;
}

describe("an incarnation's journal item", () => {
  it("changes its trim upwards only, on condition of the item as it was read", () => {
    expect(decideTrim(open, 6)).toEqual({
      kind: "write",
      write: {
        kind: "put",
        key,
        value: { ...open.value, trim: 6 },
        condition: { is: "version", version: 3 },
      },
    });
    for (const trim of [0, 3, 4]) expect(decideTrim(open, trim)).toEqual({ kind: "unchanged" });
  });

  it("changes nothing but its state unless it is open", () => {
    for (const item of [closing, closed, undefined]) {
      expect(decideTrim(item, 6)).toEqual({ kind: "over" });
      expect(decideCheckpoint(item, { number: 1, bytes: 5 })).toEqual({ kind: "over" });
      expect(decideGracefulEnd(item, 9)).toEqual({ kind: "over" });
    }
  });

  it("names the newest checkpoint, and never an older one again", () => {
    const first = written(decideCheckpoint(open, { number: 2, bytes: 5 }));
    expect(first).toEqual({ ...open.value, checkpoint: { number: 2, bytes: 5 } });
    const item = itemOf(first as ItemValue);
    expect(decideCheckpoint(item, { number: 2, bytes: 5 })).toEqual({ kind: "unchanged" });
    expect(() => decideCheckpoint(item, { number: 1, bytes: 5 })).toThrow(/only rise/);
  });

  it("goes from open over closing to closed, by several at once", () => {
    expect(written(decideClosing(open))).toEqual(closing.value);
    expect(decideClosing(closing)).toEqual({ kind: "unchanged" });
    expect(decideClosing(closed)).toEqual({ kind: "unchanged" });
    expect(written(decideClosed(closing, 9))).toEqual(closed.value);
    expect(decideClosed(closed, 9)).toEqual({ kind: "unchanged" });
    expect(decideClosing(undefined)).toEqual({ kind: "over" });
    expect(decideClosed(undefined, 9)).toEqual({ kind: "over" });
  });

  it("has one end, and none while its owner could still write", () => {
    expect(() => decideClosed(closed, 8)).toThrow(/ended elsewhere/);
    expect(() => decideClosed(open, 8)).toThrow(/only after it was closing/);
  });

  it("is closed by its owner in one write, with or without an end", () => {
    expect(written(decideGracefulEnd(open, 9))).toEqual(closed.value);
    expect(written(decideGracefulEnd(open))).toEqual({ ...open.value, state: "closed" });
  });

  it("is a condition of other writes while it is open", () => {
    const condition = { is: "version", version: 3 };
    expect(checkOpen(open)).toEqual({ kind: "check", key, condition });
    expect(() => checkOpen(closing)).toThrow(/is open/);
  });

  it("is read in every form, also that of journals in files", () => {
    const files = { incarnation: id, state: "open", trim: 4, isInObjects: false };
    expect(readJournalItem(open)).toEqual(files);
    const value = { ...closed.value, journal: "objects", checkpoint: { bytes: 1, number: 2 } };
    expect(readJournalItem(itemOf(value))).toEqual({
      incarnation: id,
      state: "closed",
      trim: 4,
      end: 9,
      checkpoint: { number: 2, bytes: 1 },
      isInObjects: true,
    });
    for (const damaged of [{ trim: 1 }, { state: "open" }, { ...open.value, checkpoint: 3 }]) {
      expect(() => readJournalItem(itemOf(damaged))).toThrow(/cannot be read/);
    }
    expect(incarnationOfKey(key)).toBe(id);
  });
});

describe("a refused write of a journal item", () => {
  const change = decideTrim(open, 6);
  if (change.kind !== "write") throw new Error(change.kind);
  const { write } = change;

  it("was applied where its very value is found, whatever the order of its names", () => {
    const { trim, ...rest } = { ...open.value, trim: 6 };
    expect(judgeRefusal(write, itemOf({ trim, ...rest }, 4))).toBe("applied");
    expect(judgeRefusal(write, itemOf({ ...rest, trim, other: null }, 4))).toBe("again");
  });

  it("is decided again while the item is open, and means the end otherwise", () => {
    expect(judgeRefusal(write, itemOf({ ...open.value, trim: 5 }, 4))).toBe("again");
    expect(judgeRefusal(write, closing)).toBe("over");
    expect(judgeRefusal(write, itemOf({ ...closing.value, trim: 6 }))).toBe("over");
    expect(judgeRefusal(write, undefined)).toBe("over");
  });
});

describe("a member", () => {
  const listeners = [{ name: "PLAINTEXT", host: "a", port: 9092 }];
  const versions = { min: 1, max: 3 };

  it("is read from its incarnation's item", () => {
    const born = { brokerId: brokerId(1), epoch: epoch(2), listeners, rack: "r", versions };
    const value = memberItem(born);
    expect(readMember(itemOf(value))).toEqual({
      ...{ brokerId: 1, incarnation: id, state: "open", listeners, rack: "r", versions },
    });
    expect(readJournalItem(itemOf(value))).toMatchObject({ trim: 0, isInObjects: true });
  });

  it("takes slots under a level of millrace.version that it works under", () => {
    const member = readMember(itemOf({ ...open.value, listeners, versions }));
    expect([0, 1, 3, 4].map((level) => isCompatible(member, level))).toEqual([
      ...[false, true, true, false],
    ]);
    const alone = readMember(open);
    expect(alone).toMatchObject({ listeners: [], versions: { min: 1, max: 1 } });
  });

  it("is not read from a damaged item", () => {
    for (const damaged of [{ broker: null }, { listeners: [{}] }, { versions: { min: 1 } }]) {
      const value = { ...open.value, ...damaged };
      expect(() => readMember(itemOf(value))).toThrow(/cannot be read/);
    }
  });
});

describe("a heartbeat", () => {
  const beat = { counter: 5, durable: 8, seen: 3, isAlone: true, isDraining: true };

  it("is read as it was written, with its hottest slots", () => {
    const rates = Array.from({ length: 40 }, (_, n) => [slot(n), n * 10] as const);
    const value = heartbeatItem({ ...beat, load: { total: 900, slots: rates } });
    const read = readHeartbeat({ key: keys.heartbeat(id), version: 1, value });
    const slots = rates.toReversed().slice(0, hotSlotsMax);
    expect(read).toEqual({ ...beat, incarnation: id, load: { total: 900, slots } });
    const load = { total: 0, slots: [] };
    const calm = heartbeatItem({ ...beat, isAlone: false, isDraining: false, load });
    expect(calm).toEqual({ counter: 5, durable: 8, load: 0, slots: [], seen: 3 });
  });

  it("is not read from a damaged item", () => {
    for (const value of [{}, { counter: 1, durable: 1, load: 0, slots: [[1]] }]) {
      expect(() => readHeartbeat({ key: keys.heartbeat(id), version: 1, value })).toThrow(
        /cannot be read/,
      );
    }
  });
});
