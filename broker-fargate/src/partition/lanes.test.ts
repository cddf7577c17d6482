import { expect, it } from "vitest";
import { turn } from "./fixtures.ts";
import { Lanes } from "./lanes.ts";

it("runs so many tasks at once, the others in order as places come free", async () => {
  const lanes = new Lanes(2);
  const ends: ((outcome: "ok" | "failed") => void)[] = [];
  const started: number[] = [];
  const runs = Array.from({ length: 5 }, (_, index) =>
    lanes.run(() => {
      started.push(index);
      return new Promise<number>((resolve, reject) => {
        ends.push((outcome) => (outcome === "ok" ? resolve(index) : reject(new Error("no"))));
      });
    }),
  );
  const settled = Promise.allSettled(runs);
  expect(started).toEqual([0, 1]);
  ends[1]?.("failed");
  await turn();
  expect(started).toEqual([0, 1, 2]);
  ends[0]?.("ok");
  ends[2]?.("ok");
  await turn();
  expect(started).toEqual([0, 1, 2, 3, 4]);
  ends[3]?.("ok");
  ends[4]?.("ok");
  const outcomes = (await settled).map(({ status }) => status);
  expect(outcomes).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled", "fulfilled"]);
});
