/** docs/cost.md: what was counted, as tables, with its price. */
import { synthesised } from "../../infra/src/fixtures.ts";
import { type Bill, billLines, type Month, monthlyBill, requestBill, zonesBill } from "./bill.ts";
import type { Counts, Usage } from "./counts.ts";
import { deploymentSection } from "./deployment-cost.ts";
import { ideas, legend } from "./prose.ts";
import {
  largestFactor,
  retentionDays,
  type ScenarioName,
  scenarios,
  tasks,
  trickledPartitions,
} from "./plan.ts";
import type { Prices } from "./prices.ts";
import { amongOthers, grownByPartitions, scaledByBytes } from "./rules.ts";
import type { Measured } from "./scenarios.ts";

export type Counted = Readonly<Record<ScenarioName, Measured>>;

interface Row {
  readonly name: string;
  readonly counts: Counts;
  readonly how: "counted" | "by the rules";
}

interface NamedMonth extends Month {
  readonly name: string;
}

export function renderCost(counted: Counted, prices: Prices): string {
  const months = monthsOf(counted);
  return `${[
    "# Cost",
    legend(prices),
    "## What one broker asks for in an hour",
    requestTable(rowsOf(counted), prices),
    "## What it is for",
    "Of the PUTs and of DynamoDB's units in the rows above that were counted, by the first part of the keys.",
    purposeTable(counted),
    "## A month",
    `Whole clusters, with their logs kept for ${retentionDays} days (\`log.retention.hours\`). The tasks are chosen, not measured.`,
    billTable(months, prices),
    idleMonth(months, prices),
    dominance(months, prices),
    ...smallestDeployment(months, prices),
    zones(counted, prices),
    "## Once",
    onceTable(counted),
    "## What could be cut",
    ideas(counted, prices),
    "## List prices",
    priceTable(prices),
  ].join("\n\n")}\n`;
}

function rowsOf(counted: Counted): readonly Row[] {
  const rows = Object.entries(counted).map(([name, measured]): Row => {
    const usage = usageOf(measured);
    return { name: scenarios[name as ScenarioName].name, counts: usage.all, how: "counted" };
  });
  const { idleOne, tenMegabytes, trickleFew, trickleMany } = counted;
  const hundred: Row = {
    name: `${10 * largestFactor} MB/s to 100 partitions, alone`,
    counts: scaledByBytes(tenMegabytes, idleOne, largestFactor),
    how: "by the rules",
  };
  const few = { partitions: 1_000, counts: trickleFew.perHour.all };
  const many = { partitions: 10_000, counts: trickleMany.perHour.all };
  const trickled: Row = {
    name: `${whole(trickledPartitions)} partitions, a record a minute each, alone`,
    counts: grownByPartitions([few, many], trickledPartitions),
    how: "by the rules",
  };
  const after = (name: ScenarioName): number => Object.keys(counted).indexOf(name) + 1;
  return rows
    .toSpliced(after("trickleMany"), 0, trickled)
    .toSpliced(after("tenMegabytes"), 0, hundred);
}

function requestTable(rows: readonly Row[], prices: Prices): string {
  return table(
    ["", "PUT", "GET", "LIST", "DELETE", "GB put", "read units", "write units", "$ a month", ""],
    rows.map(({ counts, how, name }) => [
      name,
      whole(counts.puts),
      whole(counts.gets),
      whole(counts.lists),
      whole(counts.deletes),
      (counts.putBytes / 1e9).toFixed(2),
      whole(counts.readUnits),
      whole(counts.writeUnits),
      requestBill(counts, prices).total.toFixed(2),
      how,
    ]),
  );
}

function purposeTable(counted: Counted): string {
  return table(
    ["", "PUT", "read units", "write units"],
    Object.entries(counted).map(([name, measured]) => {
      const { puts, reads, writes } = usageOf(measured);
      return [scenarios[name as ScenarioName].name, parts(puts), parts(reads), parts(writes)];
    }),
  );
}

function parts(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .filter(([, count]) => count >= 1)
    .sort(([one, a], [other, b]) => b - a || (one < other ? -1 : 1))
    .map(([of, count]) => `${of} ${whole(count)}`)
    .join(", ");
}

/** Of a group, its coordinator's; the mean of the brokers otherwise. */
function usageOf({ busiestPerHour }: Measured): Usage {
  return busiestPerHour;
}

function monthsOf(counted: Counted): readonly NamedMonth[] {
  const { idleOne, idleThree, oneMegabyte, record, tenMegabytes, tenOnThree } = counted;
  const of = (measured: Measured, rest: Pick<NamedMonth, "name" | "brokers" | "task">) => ({
    ...{ counts: measured.perHour.all, bytesPerSecond: measured.bytesPerSecond, retentionDays },
    ...rest,
  });
  const { least, small, whole: wholeTask } = tasks;
  const large = { name: "100 MB/s, ten brokers, by the rules", brokers: 10, task: wholeTask };
  const counts = amongOthers(tenMegabytes, { alone: idleOne, among: idleThree });
  const bytesPerSecond = large.brokers * tenMegabytes.bytesPerSecond;
  return [
    of(idleOne, { name: "idle, one broker", brokers: 1, task: least }),
    of(idleThree, { name: "idle, three brokers", brokers: 3, task: least }),
    of(record, { name: "a record a second, one broker", brokers: 1, task: least }),
    of(oneMegabyte, { name: "1 MB/s, one broker", brokers: 1, task: small }),
    of(tenOnThree, { name: "10 MB/s, three brokers", brokers: 3, task: small }),
    { ...of(tenMegabytes, large), counts, bytesPerSecond },
  ];
}

function billTable(months: readonly NamedMonth[], prices: Prices): string {
  return table(
    ["", "a task's vCPU, GB", ...billLines, "$ a month"],
    months.map((month) => {
      const bill = monthlyBill(month, prices);
      const { memoryGb, vcpus } = month.task;
      return [
        month.name,
        `${vcpus}, ${memoryGb}`,
        ...billLines.map((line) => bill[line].toFixed(2)),
        `**${bill.total.toFixed(2)}**`,
      ];
    }),
  );
}

function idleMonth([one]: readonly NamedMonth[], prices: Prices): string {
  const usd = one === undefined ? 0 : monthlyBill(one, prices).total;
  const other = prices.of.mskServerlessHour.usd * prices.hoursPerMonth;
  return `An idle month of the smallest cluster is $ ${usd.toFixed(2)}: it buys lunch. An MSK Serverless cluster that nobody uses is
$ ${other.toFixed(2)}, ${Math.round(other / usd)} times as much.`;
}

/** That month's cluster and everything that the template makes beside it. */
export function smallestDeployment([one]: readonly Month[], prices: Prices): readonly string[] {
  if (one === undefined) return [];
  const { resources } = synthesised({ brokers: { image: "registry.example/millrace:1" } });
  return deploymentSection({ resources, prices, cluster: monthlyBill(one, prices).total, table });
}

function dominance(months: readonly NamedMonth[], prices: Prices): string {
  return months
    .map((month) => {
      const bill = monthlyBill(month, prices);
      const line = largestOf(bill);
      const percent = Math.round((100 * bill[line]) / bill.total);
      return `- ${month.name}: ${line}, ${percent} %`;
    })
    .toSpliced(0, 0, "The largest line of each:\n")
    .join("\n");
}

function largestOf(bill: Bill): (typeof billLines)[number] {
  return billLines.reduce((most, line) => (bill[line] > bill[most] ? line : most));
}

function zones({ oneMegabyte }: Counted, prices: Prices): string {
  const usd = zonesBill((2 / 3) * oneMegabyte.bytesPerSecond, prices).toFixed(2);
  return `Not in it: what crosses zones between clients and brokers. Of producers spread over three zones, two thirds of the bytes
do: $ ${usd} a month for each MB/s, and as much again for each group of consumers that does not read by rack. Brokers send
each other no records: S3 is the replica, and its gateway endpoint costs nothing. Nor are in it: logs (a GB is
$ ${prices.of.logsGb.usd.toFixed(2)}), alarms, backups, DynamoDB's storage (metadata, far below the 25 GB that are free), taxes.`;
}

function onceTable({ idleThree, trickleMany }: Counted): string {
  const { start } = idleThree;
  const touched = trickleMany.warmUp;
  const partitions = 10_000;
  const reads = (touched.reads.get("slot") ?? 0) / partitions;
  const writes = touched.writes.get("slot") ?? 0;
  return table(
    ["", "read units", "write units"],
    [
      [
        "the first broker of a new cluster, until three share it and rest",
        whole(start.all.readUnits),
        whole(start.all.writeUnits),
      ],
      [
        "a partition's first touch after its slot got another owner, of 10,000",
        reads.toFixed(1),
        "0",
      ],
      ["the first touch of all 1,024 slots of a new cluster", "", whole(writes)],
    ],
  );
}

function priceTable({ of }: Prices): string {
  return table(
    ["$", "of", "published"],
    Object.values(of).map(({ of: what, published, usd }) => [String(usd), what, `<${published}>`]),
  );
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [head, ...rows];
  const widths = head.map((_, column) =>
    Math.max(3, ...cells.map((row) => (row[column] ?? "").length)),
  );
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [line(head), rule, ...rows.map(line)].join("\n");
}

export function whole(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}
