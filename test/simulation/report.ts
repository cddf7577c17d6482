import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { added, noOutcome, type Outcome, type SeedRange, tableOf } from "./campaign.ts";
import { type ExpectedHits, missingHits } from "./expected-hits.ts";

/** What was run of one state of the code, in one way; only such runs are added up. */
export interface Campaign {
  /** See codeHash. */
  readonly code: string;
  /** As one would type it, without the seeds. */
  readonly command: string;
  readonly ranges: readonly SeedRange[];
  readonly outcome: Outcome;
}

/** All campaigns that a file knows, the newest last. */
export class Report {
  readonly #path: string;
  #campaigns: readonly Campaign[];

  constructor(path: string) {
    this.#path = path;
    this.#campaigns = existsSync(path)
      ? (JSON.parse(readFileSync(path, "utf8")) as readonly Campaign[])
      : [];
  }

  /** The first seed after all that were run of this code in this way. */
  nextSeed(of: Pick<Campaign, "code" | "command">): number {
    const ends = this.#find(of).ranges.map(({ from, seeds }) => from + seeds);
    return Math.max(1, ...ends);
  }

  /** Throws where a seed was run before: it would be counted twice. */
  add(of: Pick<Campaign, "code" | "command">, range: SeedRange, outcome: Outcome): Campaign {
    const before = this.#find(of);
    const isAgain = before.ranges.some(({ from, seeds }) => {
      return range.from < from + seeds && from < range.from + range.seeds;
    });
    if (isAgain) throw new Error(`seeds from ${range.from} were run before`);
    const now: Campaign = {
      ...of,
      ranges: joined([...before.ranges, range]),
      outcome: added(before.outcome, outcome),
    };
    this.#campaigns = [...this.#campaigns.filter((one) => !isOf(one, of)), now];
    return now;
  }

  save(): void {
    writeFileSync(this.#path, `${JSON.stringify(this.#campaigns, undefined, 1)}\n`);
  }

  /** Of the newest code, every campaign in full; of older code a line each. */
  page(expected: (command: string) => ExpectedHits): string {
    const newest = this.#campaigns.at(-1)?.code;
    const [present, older] = [
      this.#campaigns.filter(({ code }) => code === newest),
      this.#campaigns.filter(({ code }) => code !== newest),
    ];
    const lines = older.map(({ code, command, outcome: { events, findings, seeds } }) => {
      return `- \`${code}\`, \`${command}\`: ${seeds} seeds, ${events} events, ${findings.length} anomalies`;
    });
    return [
      heading,
      ...present.map((one) => chapterOf(one, expected(one.command))),
      ...(lines.length === 0 ? [] : ["## Of earlier code\n", ...lines, ""]),
    ].join("\n");
  }

  #find(of: Pick<Campaign, "code" | "command">): Campaign {
    const found = this.#campaigns.find((one) => isOf(one, of));
    return found ?? { ...of, ranges: [], outcome: noOutcome };
  }
}

const heading = `# Simulation

What was run, and what it found. \`npm run simulate -- --report docs/simulation.json\` adds to it: runs
of the same code, told by a hash of all that a simulation runs, are added up; of other code a new
chapter begins. Any seed is run again by \`--from SEED --seeds 1\`.
`;

function isOf(one: Campaign, { code, command }: Pick<Campaign, "code" | "command">): boolean {
  return one.code === code && one.command === command;
}

/** In order; those that follow one another are one. */
function joined(ranges: readonly SeedRange[]): readonly SeedRange[] {
  const found: SeedRange[] = [];
  for (const range of ranges.toSorted((left, right) => left.from - right.from)) {
    const last = found.at(-1);
    if (last === undefined || last.from + last.seeds !== range.from) found.push(range);
    else found[found.length - 1] = { from: last.from, seeds: last.seeds + range.seeds };
  }
  return found;
}

function chapterOf({ code, command, outcome, ranges }: Campaign, expected: ExpectedHits): string {
  const table = tableOf(outcome.hits);
  const seedsOf = ranges.map(({ from, seeds }) => `${from} to ${from + seeds - 1}`).join(", ");
  const missing = missingHits(table, expected.hits);
  const rows = table.rows().map(({ fault, hits, step }) => `| ${fault} | ${step} | ${hits} |`);
  const { cannot } = expected;
  return `## \`${command}\`

Code \`${code}\`, seeds ${seedsOf}.

| | |
| --- | --- |
| seeds | ${outcome.seeds} |
| events: operations of clients, calls of ports, faults | ${outcome.events} |
| operations of clients | ${outcome.operations} |
| sends acknowledged | ${outcome.acknowledged} |
| starts of brokers | ${outcome.starts} |
| checkpoints | ${outcome.checkpoints} |
| virtual time | ${(outcome.virtualMs / 3_600_000).toFixed(1)} h |
| anomalies | ${outcome.findings.length} |
${outcome.findings.map(({ kind, seed, what }) => `\n- seed ${seed}: ${kind}: ${what}`).join("")}

Cells that should be hit and were not: ${
    missing.length === 0 ? "none" : missing.map((one) => `${one.fault} in ${one.step}`).join(", ")
  }.

${cannot.length === 0 ? "" : "Cells that can't be hit:\n"}
${cannot.map(({ fault, reason, step }) => `- ${fault} in ${step}: ${reason}`).join("\n")}

| fault | step | times |
| --- | --- | --- |
${rows.join("\n")}
`;
}
