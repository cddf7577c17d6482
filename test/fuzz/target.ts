/** What is fuzzed: one seed is one case, the same each time. */
export interface Target {
  readonly name: string;
  /** Resolves with what is wrong; empty: nothing. Throws only for a fault of the fuzzer. */
  run(seed: number): Promise<readonly string[]>;
  /** A smaller form of a case that failed, in lines of text; where that is cheap. */
  shrink?(seed: number): Promise<readonly string[]>;
  /**
   * After the last case: resolves with what is wrong after all of them, and leaves nothing behind.
   */
  finish?(): Promise<readonly string[]>;
  /** What was covered since the start, in lines for people. */
  coverage(): readonly string[];
  /** What should have been covered and was not, once there were enough cases to tell. */
  missing(): readonly string[];
}

export interface Finding {
  readonly seed: number;
  readonly what: readonly string[];
}

export interface FuzzResult {
  readonly cases: number;
  readonly seconds: number;
  readonly findings: readonly Finding[];
  /** What is wrong when all cases are over, and belongs to none of them. */
  readonly ending: readonly string[];
}

export interface Budget {
  readonly seed: number;
  /** The run ends at whichever comes first. */
  readonly casesMax: number;
  readonly msMax: number;
  /** As many failed cases are enough. */
  readonly findingsMax: number;
  /** Told at once: a long run may be ended before its end. */
  readonly onFinding?: (finding: Finding) => void;
}

/** Case n has the seed `seed + n`, so that a failed one is repeated by its seed alone. */
export async function fuzz(target: Target, budget: Budget): Promise<FuzzResult> {
  const start = performance.now();
  const findings: Finding[] = [];
  let cases = 0;
  while (cases < budget.casesMax && performance.now() - start < budget.msMax) {
    const seed = budget.seed + cases;
    const what = await target.run(seed);
    cases += 1;
    if (what.length > 0) {
      findings.push({ seed, what });
      budget.onFinding?.({ seed, what });
    }
    if (findings.length >= budget.findingsMax) break;
  }
  const seconds = (performance.now() - start) / 1000;
  return { cases, seconds, findings, ending: (await target.finish?.()) ?? [] };
}

/** The command that runs this one case again. */
export function repeatCommand(target: string, seed: number): string {
  return `node test/fuzz/run.ts --target ${target} --seed ${seed} --cases 1`;
}
