import { expect, it } from "vitest";
import { localBytesMax, objectBytesMax, planOf, writtenBytes } from "./tier-plan.ts";

const full = { store: "files", minutes: 20, megabytesPerSecond: 20, partitions: 1_000 } as const;

it("writes more than 20 GB into 1,000 partitions in the full form", () => {
  const plan = planOf(full);
  expect(writtenBytes(plan)).toBeGreaterThan(20e9);
  expect(plan.topics.reduce((sum, { partitionCount }) => sum + partitionCount, 0)).toBe(1_000);
});

it("has bounds that a run without retention would break", () => {
  const plan = planOf(full);
  expect(localBytesMax(plan)).toBeLessThan(writtenBytes(plan) / 2);
  expect(objectBytesMax(plan)).toBeLessThan(writtenBytes(plan) * 0.75);
});

it("keeps less on the disk than in the store, and segments smaller than what is kept", () => {
  for (const topic of planOf(full).topics) {
    expect(topic.localRetentionBytes).toBeLessThan(topic.retentionBytes);
    expect(topic.segmentBytes).toBeLessThan(topic.localRetentionBytes);
  }
});
