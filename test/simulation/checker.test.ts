import { expect, test } from "vitest";
import { checkHistory, type Promises } from "./checker.ts";
import {
  type AnomalyKind,
  type Assignment,
  type Commit,
  type CommittedRead,
  type Completion,
  type EndOffset,
  History,
  type Poll,
  type Send,
} from "./history.ts";

const partition = "topic/0";
const journal: Promises = { policyOf: () => "journal", power: "lost" };
const local: Promises = { policyOf: () => "local", power: "kept" };

/** A history in the making: each call is over before the next begins, unless it is left open. */
class Story {
  readonly history: History = new History();

  send(value: number, offset?: number, how: Partial<Send> & { end?: Completion } = {}): this {
    const { end = offset === undefined ? "info" : "ok", ...changes } = how;
    const send = this.history.begin<Send>({
      ...{ kind: "send", producer: "p", partition, value, acks: -1, idempotent: true },
      ...changes,
    });
    if (offset !== undefined) send.offset = offset;
    this.history.end(send, end);
    return this;
  }

  poll(
    from: number,
    records: readonly (readonly [number, number])[],
    how: Partial<Poll> = {},
  ): this {
    const highWatermark = (records.at(-1)?.[0] ?? from - 1) + 1;
    const poll = this.history.begin<Poll>({
      ...{ kind: "poll", consumer: "c", stretch: 1, partition, from, highWatermark },
      records: records.map(([offset, value]) => ({ offset, value, leaderEpoch: 1 })),
      ...how,
    });
    this.history.end(poll, "ok");
    return this;
  }

  commit(offset: number, end: Completion = "ok"): this {
    const commit = this.history.begin<Commit>({ kind: "commit", group: "g", partition, offset });
    this.history.end(commit, end);
    return this;
  }

  committed(offset: number): this {
    const read = this.history.begin<CommittedRead>({
      ...{ kind: "committedRead", group: "g", partition, offset },
    });
    this.history.end(read, "ok");
    return this;
  }

  end(offset: number): this {
    const end = this.history.begin<EndOffset>({ kind: "endOffset", partition, offset });
    this.history.end(end, "ok");
    return this;
  }

  owns(member: string, generation: number): this {
    const assignment = this.history.begin<Assignment>({
      ...{ kind: "assignment", group: "g", generation, member, partitions: [partition] },
    });
    this.history.end(assignment, "ok");
    return this;
  }

  found(promises: Promises = journal, drain: "complete" | "none" = "complete"): AnomalyKind[] {
    const anomalies = checkHistory(this.history, { promises, drain });
    return [...new Set(anomalies.map(({ kind }) => kind))];
  }
}

const story = (): Story => new Story();

test("a history in which everything went well has no anomaly", () => {
  const well = story()
    .send(1, 0)
    .send(2, 1)
    .poll(0, [[0, 1]])
    .poll(1, [[1, 2]])
    .commit(2)
    .committed(2)
    .end(2);
  expect(well.owns("m", 1).owns("n", 2).found()).toEqual([]);
});

test("one offset with two values is found over polls, and over a send and a poll", () => {
  const twoPolls = story()
    .send(1)
    .send(2)
    .poll(0, [[0, 1]])
    .poll(0, [[0, 2]], { stretch: 2 });
  expect(twoPolls.found()).toEqual(["inconsistentOffsets"]);
  expect(
    story()
      .send(1, 0)
      .send(2)
      .poll(0, [
        [0, 2],
        [1, 1],
      ])
      .found(),
  ).toContain("inconsistentOffsets");
});

test("one value at two offsets is found for an idempotent producer alone", () => {
  const twice = [
    [0, 1],
    [1, 1],
  ] as const;
  expect(story().send(1).poll(0, twice).found()).toEqual(["duplicate"]);
  expect(story().send(1, undefined, { idempotent: false }).poll(0, twice).found()).toEqual([]);
});

test("an acknowledged write that a poll passed over is lost", () => {
  const lost = story()
    .send(1, 0)
    .send(2, 1)
    .poll(0, [[1, 2]]);
  expect(lost.found(journal, "none")).toEqual(["lostWrite"]);
});

test("an acknowledged write that the drain did not see is unseen, without a drain it may come", () => {
  const unseen = story()
    .send(1, 0)
    .send(2, 1)
    .poll(0, [[0, 1]]);
  expect(unseen.found()).toEqual(["unseen"]);
  expect(unseen.found(journal, "none")).toEqual([]);
});

test("what a row of the durability table does not promise may be lost", () => {
  const lost = (acks: -1 | 0 | 1): Story => story().send(1, 0, { acks });
  expect(lost(1).found(journal)).toEqual([]);
  expect(lost(1).found(local)).toEqual(["unseen"]);
  expect(lost(0).found(local)).toEqual([]);
  expect(lost(-1).found(local)).toEqual(["unseen"]);
  expect(lost(-1).found({ ...local, power: "lost" })).toEqual([]);
});

test("an offset that was lost with its promise may be used again", () => {
  const again = story()
    .send(1, 0, { acks: 1 })
    .send(2, 0)
    .poll(0, [[0, 2]]);
  expect(again.found(journal)).toEqual([]);
  expect(again.found(local)).toContain("inconsistentOffsets");
});

test("a value whose send failed may not be read", () => {
  const read = story()
    .send(1, undefined, { end: "fail" })
    .poll(0, [[0, 1]]);
  expect(read.found()).toEqual(["failedRead"]);
});

test("a value that nobody sent to this partition is a phantom", () => {
  expect(
    story()
      .poll(0, [[0, 7]])
      .found(),
  ).toEqual(["phantom"]);
  const elsewhere = story()
    .send(7, undefined, { partition: "topic/1" })
    .poll(0, [[0, 7]]);
  expect(elsewhere.found()).toEqual(["phantom"]);
});

test("a consumer that goes back without a seek is found", () => {
  const sent = (): Story => story().send(1).send(2);
  expect(
    sent()
      .poll(0, [
        [0, 1],
        [1, 2],
      ])
      .poll(0, [[0, 1]], { highWatermark: 2 })
      .found(),
  ).toEqual(["nonMonotonicPoll"]);
  const seeks = sent()
    .poll(0, [
      [0, 1],
      [1, 2],
    ])
    .poll(0, [[0, 1]], { stretch: 2, highWatermark: 2 });
  expect(seeks.found()).toEqual([]);
  expect(
    sent()
      .poll(
        0,
        [
          [1, 2],
          [0, 1],
        ],
        { highWatermark: 2 },
      )
      .found(),
  ).toContain("nonMonotonicPoll");
});

test("a poll that leaves out a record which others saw is a skip", () => {
  const skipped = story()
    .send(1)
    .send(2)
    .poll(0, [
      [0, 1],
      [1, 2],
    ])
    .poll(0, [[1, 2]], { consumer: "d" });
  expect(skipped.found()).toEqual(["pollSkip"]);
});

test("a producer's later send at an earlier offset is found", () => {
  const sent = story()
    .send(1, 1)
    .send(2, 0)
    .poll(0, [
      [0, 2],
      [1, 1],
    ]);
  expect(sent.found()).toEqual(["nonMonotonicSend"]);
});

test("a committed offset that goes back, or goes, is found", () => {
  expect(story().commit(5).commit(9).committed(5).found()).toEqual(["commitWentBack"]);
  expect(story().commit(5).committed(-1).found()).toEqual(["commitWentBack"]);
  expect(story().commit(5).committed(6).found()).toEqual(["commitWentBack"]);
  expect(story().committed(-1).found()).toEqual([]);
});

test("a commit without an answer may be there or not, one that failed may not", () => {
  expect(story().commit(5).commit(9, "info").committed(9).committed(5).found()).toEqual([]);
  expect(story().commit(5).commit(9, "fail").committed(9).found()).toEqual(["commitWentBack"]);
});

test("a commit past an end that is seen later is found", () => {
  expect(story().commit(5).poll(0, [], { highWatermark: 4 }).found()).toEqual([
    "commitPastHighWatermark",
  ]);
});

test("a record at or past the high watermark of its own reply is found", () => {
  const past = story()
    .send(1)
    .poll(0, [[0, 1]], { highWatermark: 0 });
  expect(past.found()).toEqual(["readPastHighWatermark"]);
});

test("an end that falls is found, over polls and ListOffsets", () => {
  const fallen = story().end(5).poll(3, [], { highWatermark: 4 });
  expect(fallen.found()).toEqual(["highWatermarkWentBack"]);
  expect(story().poll(3, [], { highWatermark: 4 }).end(5).found()).toEqual([]);
});

test("a leader epoch that falls along the offsets is found", () => {
  const records = [
    { offset: 0, value: 1, leaderEpoch: 2 },
    { offset: 1, value: 2, leaderEpoch: 1 },
  ];
  const fallen = story().send(1).send(2).poll(0, [], { records, highWatermark: 2 });
  expect(fallen.found()).toEqual(["epochWentBack"]);
});

test("two members that own one partition in one generation are found", () => {
  expect(story().owns("m", 1).owns("n", 1).found()).toEqual(["partitionOwnedTwice"]);
});

test("a generation that falls is found", () => {
  expect(story().owns("m", 2).owns("n", 1).found()).toEqual(["generationWentBack"]);
});

test("what happened in a deleted topic is not judged", () => {
  const deleted = story().send(1, 0);
  deleted.history.deletedTopics.add("topic");
  expect(deleted.found()).toEqual([]);
});

test("operations that overlap are not held to an order", () => {
  const history = new History();
  const first = history.begin<EndOffset>({ kind: "endOffset", partition, offset: 4 });
  const second = history.begin<EndOffset>({ kind: "endOffset", partition, offset: 5 });
  history.end(second, "ok");
  history.end(first, "ok");
  expect(checkHistory(history, { promises: journal, drain: "none" })).toEqual([]);
});

test("what was lost with its folder proves nothing, and what was below it still does", () => {
  const lossy = story()
    .send(1, 0)
    .send(2, 1)
    .poll(0, [
      [0, 1],
      [1, 2],
    ]);
  lossy.history.lose(partition, 1);
  const seen = [
    [0, 1],
    [1, 3],
  ] as const;
  const after = lossy.send(3, 1).poll(0, seen, { stretch: 2 });
  expect(after.found(local)).toEqual([]);
  const gone = story().send(1, 0).send(2, 1);
  gone.history.lose(partition, 1);
  expect(
    gone
      .send(3, 0)
      .poll(0, [[0, 3]])
      .found(local),
  ).toContain("inconsistentOffsets");
});

test("what lies below the log start need not be seen", () => {
  const deleted = story().send(1, 0).send(2, 1);
  deleted.history.startsAt(partition, 1);
  expect(deleted.poll(1, [[1, 2]]).found()).toEqual([]);
  expect(
    story()
      .send(1, 0)
      .send(2, 1)
      .poll(0, [[0, 1]])
      .found(),
  ).toEqual(["unseen"]);
});

test("a deleted record that comes again is a duplicate unless its producers' snapshot was lost", () => {
  const again = story()
    .send(1, undefined)
    .poll(0, [[0, 1]])
    .poll(5, [[5, 1]], { stretch: 2 });
  again.history.startsAt(partition, 5);
  expect(again.found(local)).toEqual(["duplicate"]);
  again.history.lostFolders.add(partition);
  expect(again.found(local)).toEqual([]);
});
