import { epoch, incarnationId, slot, topicId } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { FormerEntries, type FormerEntry } from "./former-entries.ts";

const first = incarnationId(`1-${"a".repeat(32)}`);
const second = incarnationId(`2-${"b".repeat(32)}`);
const topic = topicId("0123456789abcdef".repeat(2));
const at = { topicId: topic, partition: 0, slot: slot(3) };

function entry(of: number, baseOffset: number): FormerEntry {
  const records = new Uint8Array([baseOffset]);
  return { ...at, epoch: epoch(of), baseOffset, lastOffset: baseOffset, records };
}

const journals = new Map([
  [first, [entry(1, 0), entry(1, 1), entry(5, 4)]],
  [second, [entry(3, 2), entry(3, 3)]],
]);

async function loaded(): Promise<FormerEntries> {
  const entries = new FormerEntries((incarnation, _, take) => {
    for (const one of journals.get(incarnation) ?? []) take(one);
    return Promise.resolve();
  });
  // Whichever is read first.
  await entries.load(second, [at.slot]);
  await entries.load(first, [at.slot]);
  return entries;
}

function offsets(entries: readonly FormerEntry[]): readonly number[] {
  return entries.map(({ baseOffset }) => baseOffset);
}

describe("what former owners' journals hold", () => {
  it("comes in the order of epochs, whatever the order of sources and of readings", async () => {
    const entries = await loaded();
    const sources = [
      { incarnation: first, epoch: epoch(5) },
      { incarnation: second, epoch: epoch(3) },
      { incarnation: first, epoch: epoch(1) },
    ];
    expect(offsets(entries.entriesOf(at, sources))).toEqual([0, 1, 2, 3, 4]);
  });

  it("is of a source's own epoch alone, and nothing of one that was handed over", async () => {
    const entries = await loaded();
    const five = { incarnation: first, epoch: epoch(5) };
    expect(offsets(entries.entriesOf(at, [five]))).toEqual([4]);
    const released = { incarnation: first, epoch: epoch(1), released: true } as const;
    expect(offsets(entries.entriesOf(at, [released, five]))).toEqual([4]);
  });

  it("is read again after a reading that failed", async () => {
    let tries = 0;
    const entries = new FormerEntries((_, __, take) => {
      tries += 1;
      if (tries === 1) return Promise.reject(new Error("away"));
      take(entry(1, 0));
      return Promise.resolve();
    });
    await expect(entries.load(first, [at.slot])).rejects.toThrow("away");
    await entries.load(first, [at.slot]);
    expect(offsets(entries.entriesOf(at, [{ incarnation: first, epoch: epoch(1) }]))).toEqual([0]);
  });
});
