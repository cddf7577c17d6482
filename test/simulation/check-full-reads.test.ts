import { expect, test } from "vitest";
import { checkHistory, type Promises } from "./checker.ts";
import {
  type AnomalyKind,
  History,
  type Poll,
  type PolledRecord,
  type Send,
  type FullRead,
  type Tiers,
} from "./history.ts";

const partition = "topic/0";
const promises: Promises = { policyOf: () => "journal", power: "lost" };
const tombstone = "tombstone";

/** [offset, key] of a value, which is the offset plus 100; or of a tombstone. */
type Told = readonly [number, number] | readonly [number, number, typeof tombstone];

/** A history of one compacted partition: each call is over before the next begins. */
class Story {
  readonly history: History = new History();

  constructor(tiers: Tiers = "hot") {
    this.history.compactedTopics.set("topic", tiers);
  }

  sent(...records: readonly Told[]): this {
    for (const record of records) this.#send(record, "ok");
    return this;
  }

  /** Nobody knows whether, and where. */
  unknown(...records: readonly Told[]): this {
    for (const record of records) this.#send(record, "info");
    return this;
  }

  readFully(to: number, records: readonly Told[], changes: Partial<FullRead> = {}): this {
    const how = { isTimely: true, isQuiet: true, ...changes };
    const seen = records.map(polled);
    const highWatermark = to;
    const poll = this.history.begin<Poll>({
      ...{ kind: "poll", consumer: "c", stretch: this.history.operations.length, partition },
      ...{ from: 0, highWatermark, records: seen },
    });
    const fullRead = this.history.begin<FullRead>({
      ...{ kind: "fullRead", consumer: "c", partition, to, records: seen, ...how },
    });
    this.history.end(poll, "ok");
    this.history.end(fullRead, "ok");
    return this;
  }

  found(): AnomalyKind[] {
    const anomalies = checkHistory(this.history, { promises, drain: "complete" });
    return [...new Set(anomalies.map(({ kind }) => kind))];
  }

  #send(told: Told, end: "ok" | "info"): void {
    const { leaderEpoch: _, offset, ...record } = polled(told);
    const send = this.history.begin<Send>({
      ...{ kind: "send", producer: "p", partition, acks: -1, idempotent: true, ...record },
    });
    if (end === "ok") send.offset = offset;
    this.history.end(send, end);
  }
}

function polled([offset, key, what]: Told): PolledRecord {
  const record = { offset, value: offset + 100, key, leaderEpoch: 1 };
  return what === undefined ? record : { ...record, isTombstone: true };
}

test("older records of a key may be gone, and a deleted key with its tombstone", () => {
  const story = new Story()
    .sent([0, 1], [1, 2], [2, 1], [3, 2, tombstone], [4, 3])
    .readFully(5, [
      [0, 1],
      [1, 2],
      [2, 1],
      [3, 2, tombstone],
      [4, 3],
    ])
    .readFully(5, [
      [2, 1],
      [4, 3],
    ]);
  expect(story.found()).toEqual([]);
});

test("a key's last record must be there, or a later one", () => {
  const sent = (): Story => new Story().sent([0, 1], [1, 1], [2, 2]);
  expect(
    sent()
      .readFully(3, [
        [0, 1],
        [2, 2],
      ])
      .found(),
  ).toContain("keyLost");
  expect(
    sent()
      .readFully(3, [[2, 2]])
      .found(),
  ).toContain("keyLost");
  expect(
    sent()
      .sent([3, 1])
      .readFully(4, [
        [2, 2],
        [3, 1],
      ])
      .found(),
  ).toEqual([]);
});

test("a record that nobody replaced must not be passed over", () => {
  const story = new Story()
    .sent([0, 1], [1, 2])
    .readFully(2, [
      [0, 1],
      [1, 2],
    ])
    .readFully(2, [[1, 2]]);
  expect(story.found()).toContain("pollSkip");
});

test("a tombstone must not go before what it deletes", () => {
  const sent = (): Story => new Story("both").sent([0, 1], [1, 1, tombstone], [2, 2]);
  const seen = [
    [0, 1],
    [2, 2],
  ] as const;
  expect(sent().readFully(3, seen).found()).toEqual(["keyCameBack"]);
  expect(sent().readFully(3, seen, { isTimely: false }).found()).toEqual([]);
});

test("a key that was gone does not come back, though nobody knows of its tombstone", () => {
  const story = (): Story => {
    return new Story("both")
      .sent([0, 1])
      .unknown([1, 1, tombstone])
      .sent([2, 2])
      .readFully(3, [[2, 2]]);
  };
  const old = [
    [0, 1],
    [2, 2],
  ] as const;
  expect(story().readFully(3, old).found()).toEqual(["keyCameBack"]);
  expect(
    story()
      .sent([3, 1])
      .readFully(4, [...old, [3, 1]])
      .found(),
  ).toEqual([]);
});

test("a record that was compacted away comes back from the object store alone", () => {
  const story = (tiers: Tiers): Story => {
    return new Story(tiers)
      .sent([0, 1], [1, 1])
      .readFully(2, [[1, 1]])
      .readFully(2, [
        [0, 1],
        [1, 1],
      ]);
  };
  expect(story("hot").found()).toEqual(["recordCameBack"]);
  expect(story("both").found()).toEqual([]);
});

test("a record may give way to one that came behind the end of a full read", () => {
  const story = (): Story => new Story().sent([0, 1], [1, 2]).unknown([2, 1]);
  const seen = [[1, 2]] as const;
  expect(story().readFully(2, seen, { isQuiet: false }).sent([3, 1]).found()).toEqual([]);
  expect(story().readFully(2, seen).sent([3, 1]).found()).toEqual(["keyLost"]);
});

test("a record with another key than it was sent with was never sent", () => {
  expect(
    new Story()
      .sent([0, 1])
      .readFully(1, [[0, 2]])
      .found(),
  ).toContain("phantom");
});
