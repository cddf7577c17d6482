import { describe, expect, test } from "vitest";
import { checkHistory } from "./check-history.ts";

const goodLoad = [
  "A 0 0 10",
  "A 0 1 12",
  "A 1 0 11",
  "P 0 0 10",
  "C 0 1",
  "F 0 1",
  "E 13 TIMED_OUT",
];
const goodDrain = ["R 0 0 10", "R 0 1 12", "R 1 0 11", "F 0 1"];

function rules(load: readonly string[], drain: readonly string[]): readonly string[] {
  return checkHistory(load, drain).anomalies.map((anomaly) => anomaly.rule);
}

describe("the durability checker", () => {
  test("finds nothing in a history in which nothing was lost", () => {
    expect(checkHistory(goodLoad, goodDrain)).toEqual({
      anomalies: [],
      acknowledged: 3,
      polled: 1,
      stored: 3,
      commits: 1,
    });
  });

  test("an acknowledged record that is not there is a lost write", () => {
    expect(rules(goodLoad, ["R 0 0 10", "R 1 0 11"])).toEqual(["lost write"]);
  });

  test("one value at two offsets is a duplicate", () => {
    expect(rules(goodLoad, [...goodDrain, "R 0 2 12"])).toEqual(["duplicate"]);
  });

  test("an offset that holds another value than was told is inconsistent", () => {
    expect(rules(goodLoad, ["R 0 0 9", "R 0 1 12", "R 1 0 11"])).toEqual(["inconsistent offsets"]);
    expect(rules([...goodLoad, "P 1 0 99"], goodDrain)).toContain("inconsistent offsets");
  });

  test("a later value at an earlier offset is out of order", () => {
    expect(rules([], ["R 0 0 2", "R 0 1 1"])).toEqual(["out of order"]);
  });

  test("a committed offset that goes back is found, while running and in the end", () => {
    expect(rules([...goodLoad, "C 0 2", "F 0 1"], goodDrain)).toContain("commit went back");
    expect(rules([...goodLoad, "C 0 2"], goodDrain)).toContain("commit went back");
  });

  test("a commit past the end of the log shows that records were lost behind it", () => {
    expect(rules(["C 0 5"], ["R 0 0 1", "F 0 5"])).toEqual(["commit past the end"]);
  });

  test("a client that gives up is an anomaly, and a line that is no event is refused", () => {
    expect(rules(["X fatal"], [])).toEqual(["client gave up"]);
    expect(() => checkHistory(["?"], [])).toThrow(/not an event/);
  });
});
