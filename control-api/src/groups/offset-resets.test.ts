import { expect, it } from "vitest";
import { resetPartitionsMax } from "../limits.ts";
import { plannedReset } from "./offset-resets.ts";

/** Numbers from 0 on. */
const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, at) => at);

it("looks at each committed offset once, however many partitions are reset", () => {
  let looks = 0;
  const committed = upTo(10_000).map((partition) => ({
    get topic() {
      looks += 1;
      return "wide";
    },
    ...{ partition, offset: 7, lag: 0, leaderEpoch: undefined, metadata: "" },
  }));
  const ends = upTo(resetPartitionsMax).map((partition) => {
    return { partition, earliestOffset: 0, latestOffset: 9 };
  });
  const topics = new Map([["wide", { ends, atTimes: new Map() }]]);
  const planned = plannedReset([{ topic: "wide", to: "latest" }], topics, committed);
  expect(planned).toHaveLength(resetPartitionsMax);
  expect(planned.at(-1)).toMatchObject({ committed: 7, offset: 9 });
  expect(looks).toBeLessThanOrEqual(committed.length);
});
