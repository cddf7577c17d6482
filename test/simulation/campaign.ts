import { FaultTable } from "./fault-table.ts";
import type { AnomalyKind } from "./history.ts";
import { type Regime, type SimulationOptions, simulate } from "./simulate.ts";

/** How each seed of a campaign is run; plain, so that it can be sent to another process. */
export type SeedOptions = Readonly<
  Pick<SimulationOptions, "events" | "faultsMsMin" | "regime" | "killIn" | "crashAt" | "keepTrace">
> & {
  /** Each seed is run again, and must be the same run. */
  readonly runs: "once" | "twice";
};

export interface SeedRange {
  readonly from: number;
  readonly seeds: number;
}

export interface Finding {
  readonly seed: number;
  readonly regime: Regime | undefined;
  readonly kind: AnomalyKind | "unhandled" | "anotherRun" | "tooShort";
  readonly what: string;
}

export interface Counts {
  readonly seeds: number;
  readonly events: number;
  readonly operations: number;
  readonly acknowledged: number;
  readonly starts: number;
  readonly checkpoints: number;
  readonly virtualMs: number;
}

/** What came of some seeds; plain, too. */
export interface Outcome extends Counts {
  readonly hits: readonly {
    readonly fault: string;
    readonly step: string;
    readonly hits: number;
  }[];
  readonly findings: readonly Finding[];
}

export const noOutcome: Outcome = {
  ...{ seeds: 0, events: 0, operations: 0, acknowledged: 0, starts: 0, checkpoints: 0 },
  ...{ virtualMs: 0, hits: [], findings: [] },
};

/** What a seed must have at least, to count as one. */
export const leastOfASeed = { events: 2_000, checkpoints: 2 } as const;
/** Of one seed. */
const findingsMax = 5;

/** Runs the seeds one after another, and adds up what came of them. */
export async function runSeeds(
  { from, seeds }: SeedRange,
  options: SeedOptions,
  onTrace: (lines: readonly string[]) => void = () => undefined,
): Promise<Outcome> {
  let all = noOutcome;
  for (let seed = from; seed < from + seeds; seed += 1) {
    all = added(all, await runSeed(seed, options, onTrace));
  }
  return all;
}

async function runSeed(
  seed: number,
  { runs, ...options }: SeedOptions,
  onTrace: (lines: readonly string[]) => void,
): Promise<Outcome> {
  const findings: Finding[] = [];
  const found = (kind: Finding["kind"], what: string): void => {
    if (findings.length < findingsMax) findings.push({ seed, regime: options.regime, kind, what });
  };
  // In a process it would be the broker's end.
  const unhandled = (error: unknown): void => {
    found("unhandled", error instanceof Error ? (error.stack ?? error.message) : String(error));
  };
  process.on("unhandledRejection", unhandled);
  try {
    const result = await simulate({ ...options, seed });
    onTrace(result.trace);
    if (runs === "twice" && (await simulate({ ...options, seed })).digest !== result.digest) {
      found("anotherRun", "the second run is another one");
    }
    const { acknowledged, checkpoints, events, operations, starts, table, virtualMs } = result;
    for (const { kind, what } of result.anomalies) found(kind, what);
    if (events < leastOfASeed.events || checkpoints < leastOfASeed.checkpoints) {
      found("tooShort", `${events} events and ${checkpoints} checkpoints are too few`);
    }
    const counts = { seeds: 1, events, operations, acknowledged, starts, checkpoints, virtualMs };
    return { ...counts, hits: table.rows(), findings };
  } finally {
    // Node tells of them at the end of a turn of its event loop.
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", unhandled);
  }
}

export function added(one: Outcome, other: Outcome): Outcome {
  return {
    seeds: one.seeds + other.seeds,
    events: one.events + other.events,
    operations: one.operations + other.operations,
    acknowledged: one.acknowledged + other.acknowledged,
    starts: one.starts + other.starts,
    checkpoints: one.checkpoints + other.checkpoints,
    virtualMs: one.virtualMs + other.virtualMs,
    hits: tableOf([...one.hits, ...other.hits]).rows(),
    findings: [...one.findings, ...other.findings],
  };
}

export function tableOf(hits: Outcome["hits"]): FaultTable {
  const table = new FaultTable();
  for (const { fault, step, hits: times } of hits) table.add(fault, step, times);
  return table;
}
