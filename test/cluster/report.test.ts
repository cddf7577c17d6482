import { expect, it } from "vitest";
import type { Outage } from "./faults.ts";
import { distributions, reportLines } from "./report.ts";

function outage(of: Outage["of"], gapMs: number, fault: number): Outage {
  return { of, gapMs, atMs: 0, partition: 0, fault };
}

it("outages are told apart by what was done, with median and worst", () => {
  const rows = distributions([
    ...[900, 100, 300].map((gapMs, fault) => outage("kill", gapMs, fault)),
    outage("others", 20, 0),
  ]);
  expect(rows).toEqual([
    { of: "kill", faults: 3, outages: 3, p50Ms: 300, p90Ms: 900, maxMs: 900 },
    { of: "others", faults: 1, outages: 1, p50Ms: 20, p90Ms: 20, maxMs: 20 },
  ]);
  expect(reportLines(rows)[2]).toBe("| kill | 3 | 3 | 300 | 900 | 900 |");
});
