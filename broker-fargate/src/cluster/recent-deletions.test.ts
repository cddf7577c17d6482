import { VirtualClock } from "@millrace/adapter-memory";
import { expect, it } from "vitest";
import { recentDeletionMs, recentDeletionsMax } from "./limits.ts";
import { RecentDeletions } from "./recent-deletions.ts";

it("remembers deleted names until every live broker knows of it", () => {
  const clock = new VirtualClock();
  const deleted = new RecentDeletions(clock);
  deleted.add("a");
  clock.advance(recentDeletionMs - 1);
  expect([deleted.has("a"), deleted.has("b")]).toEqual([true, false]);
  deleted.add("b");
  clock.advance(1);
  expect([deleted.has("a"), deleted.has("b"), deleted.size]).toEqual([false, true, 1]);
});

it("forgets the oldest of very many deleted names", () => {
  const deleted = new RecentDeletions(new VirtualClock());
  for (let n = 0; n < recentDeletionsMax + 5; n += 1) deleted.add(`t${n}`);
  expect(deleted.size).toBe(recentDeletionsMax);
  expect([deleted.has("t4"), deleted.has("t5")]).toEqual([false, true]);
});
