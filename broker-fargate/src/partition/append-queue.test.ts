import { VirtualClock } from "@millrace/adapter-memory";
import { describe, expect, it } from "vitest";
import { AppendQueue } from "./append-queue.ts";
import type { AppendRequest, AppendResult } from "./append.ts";
import { batchOf, smallLimits, turn } from "./fixtures.ts";

const request = (sequence: number): AppendRequest => {
  return { records: batchOf([sequence], { id: 1, sequence }), waitFor: "durable" };
};

describe("appends that wait", () => {
  it("are all refused when the first is late: the next would be taken ahead of its retry", async () => {
    const clock = new VirtualClock();
    const lateReason = (): "timedOut" => "timedOut";
    const queue = new AppendQueue({ clock, limits: smallLimits, lateReason });
    const answers: AppendResult[] = [];
    const add = (sequence: number): void => {
      void queue.add(request(sequence)).then((answer) => answers.push(answer));
    };
    add(0);
    clock.advance(smallLimits.appendWaitMsMax - 1);
    add(1);
    await turn();
    expect([queue.length, answers]).toEqual([2, []]);
    clock.advance(1);
    await turn();
    const late = { kind: "refused", reason: "timedOut", message: "the append waited too long" };
    expect([queue.length, answers]).toEqual([0, [late, late]]);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("bytes of appends that wait", () => {
  it("are bounded: one more is refused at once, by the reason of the wait", async () => {
    const limits = { ...smallLimits, appendWaitBytesMax: 2 * request(0).records.length };
    const clock = new VirtualClock();
    const queue = new AppendQueue({ clock, limits, lateReason: () => "journalFull" });
    void queue.add(request(0));
    void queue.add(request(1));
    const over = await queue.add(request(2));
    expect(over).toMatchObject({ kind: "refused", reason: "journalFull" });
    expect(queue.length).toBe(2);
  });

  it("may be those of one append, however large", () => {
    const limits = { ...smallLimits, appendWaitBytesMax: 1 };
    const clock = new VirtualClock();
    const queue = new AppendQueue({ clock, limits, lateReason: () => "timedOut" });
    void queue.add(request(0));
    expect(queue.length).toBe(1);
  });
});
