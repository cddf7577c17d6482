/** Samples as rows of a table, and all of it as docs/benchmarks.md. */
import { isDeepStrictEqual } from "node:util";
import type { Aim, Figure, Row, Sample, Subject, Unit } from "./figure.ts";
import type { Machine } from "./machine.ts";
import type { Result } from "./results.ts";
import { inGB, type Scale } from "./scale.ts";
import { ratioOf, type Spread, spreadOf } from "./statistics.ts";

export interface Outcome {
  readonly row: Row;
  readonly ours: Spread;
  readonly kafkas: Spread | undefined;
  readonly ratio: number | undefined;
  readonly verdict: "met" | "missed" | "reported";
}

function spreadFor(samples: readonly Sample[], subject: Subject, measurement: string): Spread {
  const values = samples
    .filter((sample) => sample.subject === subject)
    .map((sample) => sample.values[measurement] ?? Number.NaN);
  return spreadOf(values);
}

function verdictOf(aim: Aim, ours: Spread, ratio: number | undefined): Outcome["verdict"] {
  switch (aim.kind) {
    case "reported":
      return "reported";
    case "absolute":
      return ours.median < aim.max ? "met" : "missed";
    case "most":
      return ours.median <= aim.max ? "met" : "missed";
    case "least":
      return ours.median >= aim.min ? "met" : "missed";
    case "ratio":
      if (ratio === undefined) throw new Error("an aim beside Kafka without Kafka's measurement");
      return ratio <= aim.max ? "met" : "missed";
  }
}

/** Throws when a row has no measurement, of ours or of Kafka where it stands beside Kafka. */
export function outcomesOf(
  figure: Pick<Figure, "name" | "rows">,
  samples: readonly Sample[],
  scale: Scale,
): readonly Outcome[] {
  return figure.rows(scale).map((row) => {
    try {
      const ours = spreadFor(samples, row.ours.subject, row.ours.measurement);
      if (row.kafkas === undefined) {
        const verdict = verdictOf(row.aim, ours, undefined);
        return { row, ours, kafkas: undefined, ratio: undefined, verdict };
      }
      const kafkas = spreadFor(samples, "kafka", row.kafkas);
      const ratio = ratioWhereThereIsOne(row, ours, kafkas);
      return { row, ours, kafkas, ratio, verdict: verdictOf(row.aim, ours, ratio) };
    } catch (error) {
      throw new Error(`${figure.name}: ${row.label}: ${String(error)}`, { cause: error });
    }
  });
}

/** Kafka's growth of memory may be nothing at all; only an aim needs the ratio. */
function ratioWhereThereIsOne(row: Row, ours: Spread, kafkas: Spread): number | undefined {
  if (kafkas.median === 0 && row.aim.kind !== "ratio") return undefined;
  return ratioOf(ours, kafkas);
}

/** Three significant digits, and no more than the number has before its point. */
export function formatNumber(value: number): string {
  if (value === 0) return "0";
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toLocaleString("en", {
    minimumFractionDigits: Math.min(digits, 3),
    maximumFractionDigits: Math.min(digits, 3),
  });
}

function formatSpread(spread: Spread, unit: Unit): string {
  const [min, median, max] = [spread.min, spread.median, spread.max].map(formatNumber);
  return `${min} – **${median}** – ${max} ${unit}`;
}

function formatAim(aim: Aim, unit: Unit): string {
  switch (aim.kind) {
    case "reported":
      return "reported";
    case "absolute":
      return `< ${aim.max} ${unit}`;
    case "most":
      return `≤ ${aim.max} ${unit}`;
    case "least":
      return `≥ ${aim.min} ${unit}`;
    case "ratio":
      return `≤ ${aim.max} ×`;
  }
}

function renderRow({ row, ours, kafkas, ratio, verdict }: Outcome): string {
  const cells = [
    row.label,
    formatSpread(ours, row.unit),
    kafkas === undefined ? "–" : formatSpread(kafkas, row.unit),
    ratio === undefined ? "–" : `**${ratio.toFixed(ratio < 0.1 ? 3 : 2)} ×**`,
    formatAim(row.aim, row.unit),
    verdict === "reported" ? "–" : verdict,
  ];
  return `| ${cells.join(" | ")} |`;
}

export function renderTable(outcomes: readonly Outcome[]): string {
  return [
    "| figure | Millrace (min – median – max) | Apache Kafka 4.3.1 | ratio | aim | |",
    "| --- | --- | --- | --- | --- | --- |",
    ...outcomes.map(renderRow),
  ].join("\n");
}

const introduction = `# Benchmarks

Millrace beside Apache Kafka 4.3.1, both started on the same machine in the same run of a figure, one at a time, each on an empty data
directory. Who goes first alternates from run to run. The ratio is that of the medians: below 1, Millrace takes less (where the unit is a rate, it does less).
Broker CPU is user and system time of the broker's process group from \`/proc/PID/stat\`, from just before a load to one second
after it: it depends little on what else the machine does, which wall time does.

Kafka runs with the JVM options of its own start script and default settings, Millrace with its defaults. The load is made
by Kafka's own tools, one JVM each. What a tool says it did is checked against the broker's end offsets.
`;

const commands = (scale: Scale, runs: number): string => `## Repeat it

\`\`\`sh
npm run bench -- --runs ${runs}${scale.name === "quick" ? " --quick" : ""} --write-docs    # all of it
npm run bench -- --only produce,consume               # some figures; with --write-docs new on this page
node test/bench/figures/produce.ts --runs 3           # one figure alone
\`\`\`

It needs Java 17 with Maven, which fetches Apache Kafka from Maven Central, ${inGB(scale.diskBytesMin)} of free disk below the temporary
directory, and a machine that does nothing else.
`;

/** Each that something was measured on, in the order of the figures. */
function machinesOf(results: readonly Result[]): readonly Machine[] {
  const machines: Machine[] = [];
  for (const { machine } of results) {
    if (!machines.some((known) => isDeepStrictEqual(known, machine))) machines.push(machine);
  }
  return machines;
}

/** A letter. */
function nameOf(machine: Machine, machines: readonly Machine[]): string {
  const at = machines.findIndex((known) => isDeepStrictEqual(known, machine));
  return String.fromCodePoint("A".charCodeAt(0) + at);
}

function renderMachines(machines: readonly Machine[]): string {
  const rows = machines.map((machine) => {
    const { cores, cpu, java, kernel, memoryGiB, node } = machine;
    return `| ${nameOf(machine, machines)} | ${cpu} | ${cores} | ${memoryGiB} GiB | Linux ${kernel} | ${node} | ${java} |`;
  });
  return `## Machines

A figure is measured on one of them, which its paragraph below names; numbers of two machines are not for each other's side.

| | CPU | cores | memory | kernel | Node | Java |
| --- | --- | --- | --- | --- | --- | --- |
${rows.join("\n")}
`;
}

/** Too few runs, or too small loads, to judge an aim by. */
function isIndicative(scale: Scale, { runs }: Result): boolean {
  return scale.name === "quick" || runs < runsMin;
}

const runsMin = 3;

/** What a reader has to know before the numbers; empty where all were measured as they should. */
function renderWarning({ figures, results, scale }: Document): string {
  const measured = new Set(results.map(({ figure }) => figure));
  const missing = figures.map(({ name }) => name).filter((name) => !measured.has(name));
  const few = results.filter(({ runs }) => runs < runsMin).map(({ figure }) => figure);
  const reasons = [
    ...(scale.name === "quick" ? ["small loads, after which Kafka's compiler is not warm"] : []),
    ...(few.length > 0 ? [`fewer than three runs of ${few.join(", ")}`] : []),
  ];
  const lines = [
    ...(reasons.length > 0
      ? [`**Indicative only, and no aim is judged by it**: ${reasons.join("; ")}.`]
      : []),
    ...(missing.length > 0 ? [`**Not measured yet at this size**: ${missing.join(", ")}.`] : []),
  ];
  return lines.map((line) => `\n${line}\n`).join("");
}

export interface Document {
  readonly scale: Scale;
  readonly figures: readonly Figure[];
  /** At most one for each figure; the document names the figures without one. */
  readonly results: readonly Result[];
  /** The exact command lines behind the figures. */
  readonly commandLines: readonly string[];
}

function unjudged(outcome: Outcome): Outcome {
  return { ...outcome, verdict: "reported" };
}

/** The whole of docs/benchmarks.md. Throws when a row of a measured figure has no measurement. */
export function renderDocument(document: Document): string {
  const { scale, figures, results, commandLines } = document;
  const machines = machinesOf(results);
  const runs = Math.min(...results.map((result) => result.runs));
  const parts = figures.flatMap((figure) => {
    const result = results.find((candidate) => candidate.figure === figure.name);
    if (result === undefined) return [];
    const outcomes = outcomesOf(figure, result.samples, scale);
    const judged = isIndicative(scale, result) ? outcomes.map(unjudged) : outcomes;
    const runsOf = result.runs === 1 ? "1 run" : `${result.runs} runs`;
    const where = `machine ${nameOf(result.machine, machines)}`;
    const from = `\`node test/bench/figures/${figure.name}.ts\`, ${runsOf}, ${result.measuredOn}, ${where}.`;
    const section = `### ${figure.name}\n\n${from} ${figure.method(scale)}\n`;
    return [{ outcomes: judged, section }];
  });
  return [
    `${introduction}${renderWarning(document)}`,
    `${renderTable(parts.flatMap(({ outcomes }) => outcomes))}\n`,
    renderMachines(machines),
    commands(scale, runs),
    `The processes behind it:\n\n\`\`\`sh\n${commandLines.join("\n")}\n\`\`\`\n`,
    "## How each is measured\n",
    ...parts.map(({ section }) => section),
  ].join("\n");
}
