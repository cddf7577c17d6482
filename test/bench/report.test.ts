import { expect, it } from "vitest";
import type { Aim, Figure, Row, Sample } from "./figure.ts";
import { formatNumber, outcomesOf, renderDocument, renderTable } from "./report.ts";
import type { Result } from "./results.ts";
import { scales } from "./scale.ts";

function rowWith(aim: Aim, kafkas: string | undefined = "cost"): Row {
  const ours = { subject: "local", measurement: "cost" } as const;
  return { label: "cost", unit: "CPU s/GB", ours, kafkas, aim };
}

function samplesOf(local: readonly number[], kafka: readonly number[]): readonly Sample[] {
  return [
    ...local.map(
      (cost, index): Sample => ({
        subject: "local",
        run: index + 1,
        values: { cost },
      }),
    ),
    ...kafka.map(
      (cost, index): Sample => ({
        subject: "kafka",
        run: index + 1,
        values: { cost },
      }),
    ),
  ];
}

function figureWith(row: Row): Figure {
  return {
    name: "costs",
    method: () => "By counting.",
    rows: () => [row],
    measure: async () => [],
  };
}

const samples = samplesOf([1.2, 1, 1.1], [4, 5, 3]);
const atMost = (max: number): Aim => ({ kind: "ratio", max });

it.each([
  ["met", 0.3],
  ["missed", 0.27],
] as const)("calls an aim %s by the ratio of the medians", (verdict, max) => {
  const [outcome] = outcomesOf(figureWith(rowWith(atMost(max))), samples, scales.full);
  expect(outcome?.ratio).toBeCloseTo(0.275);
  expect(outcome?.verdict).toBe(verdict);
});

it("holds an absolute aim against our own median", () => {
  const below = (max: number) => figureWith(rowWith({ kind: "absolute", max }, undefined));
  expect(outcomesOf(below(1.2), samples, scales.full)[0]?.verdict).toBe("met");
  expect(outcomesOf(below(1.1), samples, scales.full)[0]?.verdict).toBe("missed");
});

it("takes a bound of our own measurement that is met exactly as met", () => {
  const judged = (aim: Aim) =>
    outcomesOf(figureWith(rowWith(aim, undefined)), samples, scales.full)[0]?.verdict;
  expect(judged({ kind: "most", max: 1.1 })).toBe("met");
  expect(judged({ kind: "most", max: 1 })).toBe("missed");
  expect(judged({ kind: "least", min: 1.1 })).toBe("met");
  expect(judged({ kind: "least", min: 1.2 })).toBe("missed");
});

it("renders the ratio, the aim and both spreads", () => {
  const table = renderTable(outcomesOf(figureWith(rowWith(atMost(0.3))), samples, scales.full));
  expect(table.split("\n").at(-1)).toBe(
    "| cost | 1.00 – **1.10** – 1.20 CPU s/GB | 3.00 – **4.00** – 5.00 CPU s/GB | **0.28 ×** | ≤ 0.3 × | met |",
  );
});

it.each([
  ["ours", samplesOf([], [1, 2, 3])],
  ["Kafka's", samplesOf([1, 2, 3], [])],
])("refuses a figure without a measurement of %s", (_, incomplete) => {
  const figure = figureWith(rowWith(atMost(1)));
  expect(() => outcomesOf(figure, incomplete, scales.full)).toThrow(
    "costs: cost: Error: a figure without",
  );
});

it("refuses a figure of which one run measured something else", () => {
  const figure = figureWith(rowWith(atMost(1)));
  const other: Sample = { subject: "local", run: 3, values: { other: 1 } };
  expect(() => outcomesOf(figure, [...samplesOf([1, 2], [1, 2]), other], scales.full)).toThrow(
    "not a measurement",
  );
});

it("has no ratio where Kafka took nothing and no aim asks for one", () => {
  const figure = figureWith(rowWith({ kind: "reported" }));
  const [outcome] = outcomesOf(figure, samplesOf([1], [0]), scales.full);
  expect(outcome?.ratio).toBeUndefined();
  expect(outcome?.verdict).toBe("reported");
});

it.each([
  [0, "0"],
  [0.01234, "0.012"],
  [0.4567, "0.457"],
  [12.34, "12.3"],
  [999.6, "1,000"],
  [12_345.6, "12,346"],
])("writes %d as %s", (value, text) => {
  expect(formatNumber(value)).toBe(text);
});

const machine = { cpu: "C", cores: 2, memoryGiB: 16, kernel: "6.1", node: "v24", java: "17" };
const result: Result = {
  figure: "costs",
  scale: "full",
  runs: 3,
  measuredOn: "2026-01-31",
  machine,
  samples,
};

it("makes a document of the results of all figures", () => {
  const figures = [figureWith(rowWith(atMost(0.3)))];
  const parts = { scale: scales.full, figures, commandLines: ["java Load"] };
  const document = renderDocument({ ...parts, results: [result] });
  expect(document).toContain("**0.28 ×**");
  expect(document).toContain("| A | C | 2 | 16 GiB | Linux 6.1 | v24 | 17 |");
  expect(document).toContain("java Load");
  expect(document).not.toContain("Indicative");
  expect(document).toContain("| met |");
});

it("says of a quick or a short run that it is indicative, and judges no aim by it", () => {
  const figures = [figureWith(rowWith(atMost(0.3)))];
  const parts = { figures, commandLines: [] };
  const quick = { ...parts, scale: scales.quick, results: [result] };
  const short = { ...parts, scale: scales.full, results: [{ ...result, runs: 2 }] };
  expect(renderDocument(quick)).toContain("Indicative");
  expect(renderDocument(quick)).not.toContain("| met |");
  expect(renderDocument(short)).toContain("Indicative");
});

it("names the figures that have no result", () => {
  const measured = figureWith(rowWith(atMost(0.3)));
  const figures = [measured, { ...measured, name: "another" }];
  const parts = { scale: scales.full, figures, commandLines: [] };
  const document = renderDocument({ ...parts, results: [result] });
  expect(document).toContain("**Not measured yet at this size**: another.");
  expect(document).toContain("| met |");
});

it("says of each figure on which machine it was measured", () => {
  const measured = figureWith(rowWith(atMost(0.3)));
  const figures = ["one", "two", "three"].map((name) => ({ ...measured, name }));
  const other = { ...machine, kernel: "6.2" };
  const results = figures.map(({ name }) => {
    return { ...result, figure: name, machine: { ...(name === "two" ? other : machine) } };
  });
  const document = renderDocument({ scale: scales.full, figures, results, commandLines: [] });
  expect(document).toContain("| A | C | 2 | 16 GiB | Linux 6.1 | v24 | 17 |\n| B | C | 2 |");
  const named = [...document.matchAll(/figures\/(\w+)\.ts`, 3 runs, 2026-01-31, machine (\w)\./g)];
  expect(named.map(([, name, letter]) => `${name} ${letter}`)).toEqual([
    "one A",
    "two B",
    "three A",
  ]);
});
