import type { TopicSettings } from "@millrace/core";
import { expect, test } from "vitest";
import { logConfigOf } from "./log-config.ts";

function segmentMsOf(settings: Partial<TopicSettings>): number {
  const cleanupPolicy = { compact: false, delete: true };
  const all = { cleanupPolicy, segmentMs: 5000, maxCompactionLagMs: 700, ...settings };
  return logConfigOf(all as TopicSettings).segmentMs;
}

test("no record of a compacted topic waits in an open segment for longer than max.compaction.lag.ms", () => {
  const cleanupPolicy = { compact: true, delete: false };
  expect(segmentMsOf({ cleanupPolicy })).toBe(700);
  expect(segmentMsOf({ cleanupPolicy, maxCompactionLagMs: 9000 })).toBe(5000);
  expect(segmentMsOf({})).toBe(5000);
});
