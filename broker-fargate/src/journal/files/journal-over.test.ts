import { describe, expect, it } from "vitest";
import type { AppendResult } from "../../partition/append.ts";
import { batchOf, Rig, turn } from "../../partition/fixtures.ts";
import type { AppendJournal, PendingEntry } from "../append-journal.ts";

/** A journal that keeps what it is given and becomes durable, delayed or over when it is told to. */
class TestJournal {
  state: AppendJournal["state"] = "open";
  readonly entries: PendingEntry[] = [];

  /** Puts itself in the place of the rig's journal. */
  constructor(journal: AppendJournal) {
    Object.defineProperty(journal, "state", { get: () => this.state });
    journal.append = (entry) => void this.entries.push(entry);
  }

  end(): void {
    this.state = "over";
    for (const entry of this.entries.splice(0)) entry.failed();
  }
}

async function openPartition() {
  const rig = await new Rig().start();
  const configs = { "millrace.durability": "journal" };
  const owner = await rig.partitions.open(await rig.createTopic("t", { configs }), 0);
  return { owner, journal: new TestJournal(rig.partitions.journal) };
}

function reasonOf(result: AppendResult): string {
  return result.kind === "refused" ? result.reason : result.kind;
}

describe("a partition whose journal another process ended", () => {
  it("answers what waits and what comes as one that it does not lead, outcome unknown", async () => {
    const { journal, owner } = await openPartition();
    const waiting = owner.append({ records: batchOf([1]), waitFor: "durable" });
    journal.end();
    expect(reasonOf(await waiting)).toBe("notLeader");
    const later = await owner.append({ records: batchOf([2]), waitFor: "durable" });
    expect(reasonOf(later)).toBe("notLeader");
    expect(owner.isOver).toBe(true);
    expect(owner.highWatermark).toBe(0);
  });

  it("does so where nothing of it was on its way", async () => {
    const { journal, owner } = await openPartition();
    journal.end();
    const result = await owner.append({ records: batchOf([2]), waitFor: "appended" });
    expect(reasonOf(result)).toBe("notLeader");
  });
});

describe("a partition whose journal is delayed", () => {
  it("tells who waits that it takes longer, and goes on when it is durable", async () => {
    const { journal, owner } = await openPartition();
    const waiting = owner.append({ records: batchOf([1]), waitFor: "durable" });
    for (const entry of journal.entries) entry.delayed("timedOut");
    expect(reasonOf(await waiting)).toBe("timedOut");
    const next = owner.append({ records: batchOf([2]), waitFor: "durable" });
    for (const entry of journal.entries.splice(0)) entry.durable(0);
    await turn();
    expect(await next).toMatchObject({ kind: "appended", baseOffset: 1 });
    expect(owner.highWatermark).toBe(2);
  });
});
