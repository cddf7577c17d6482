import { expect, test } from "vitest";
import { assignRanges } from "./assignor.ts";

const member = (memberId: string, topics: readonly string[], instanceId: string | null = null) => ({
  ...{ memberId, topics, instanceId },
});

function shown(assignments: ReturnType<typeof assignRanges>): Record<string, string> {
  return Object.fromEntries(
    assignments.map(({ memberId, partitions }) => [
      memberId,
      partitions.map(({ topic, partition }) => `${topic}${partition}`).join(" "),
    ]),
  );
}

test("members get equal runs of each topic, the first ones one more", () => {
  const members = [member("c", ["a", "b"]), member("a", ["a", "b"]), member("b", ["a"])];
  const counts = new Map([
    ["a", 7],
    ["b", 3],
  ]);
  expect(shown(assignRanges(members, counts))).toEqual({
    a: "a0 a1 a2 b0 b1",
    b: "a3 a4",
    c: "a5 a6 b2",
  });
});

test("a static member keeps its place under another member id", () => {
  const assign = (ids: readonly [string, string]): Record<string, string> =>
    shown(
      assignRanges(
        [member(ids[0], ["a"], "one"), member(ids[1], ["a"], "two")],
        new Map([["a", 2]]),
      ),
    );
  expect(assign(["x", "y"])).toEqual({ x: "a0", y: "a1" });
  expect(assign(["z", "y"])).toEqual({ z: "a0", y: "a1" });
});

test("a topic without takers, and more members than partitions, leave nobody out", () => {
  const members = [member("a", ["a"]), member("b", ["a"])];
  expect(
    shown(
      assignRanges(
        members,
        new Map([
          ["a", 1],
          ["b", 5],
        ]),
      ),
    ),
  ).toEqual({ a: "a0", b: "" });
});
