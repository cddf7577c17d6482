import type { Target } from "../target.ts";
import type { CaseResult, Reopen } from "./log-case.ts";
import { runLogCase } from "./log-case.ts";
import { runJournalCase } from "./journal-case.ts";

/** Of cases: one in so many is a whole broker with its journal, which takes as long as some logs. */
const journalEvery = 4;
/** Before it is said that a kind of damage or an outcome did not come. */
const casesToTell = 2_000;
const endings = ["log", "index", "timeindex", "snapshot", "leader-epochs", "journal"] as const;

/** Data directories, through the real code, damaged from outside and opened again. */
export class RecoveryTarget implements Target {
  readonly name = "recovery";
  readonly #reopen: Reopen | undefined;
  readonly #outcomes = new Map<string, number>();
  readonly #damaged = new Map<string, number>();
  #cases = 0;

  constructor(reopen?: Reopen) {
    this.#reopen = reopen;
  }

  async run(seed: number): Promise<readonly string[]> {
    const kind = seed % journalEvery === 0 ? "journal" : "log";
    const result = await this.#case(seed, kind);
    this.#cases += 1;
    add(this.#outcomes, `${kind}: ${result.outcome}`);
    for (const { path } of result.damages) add(this.#damaged, endingOf(path));
    if (result.faults.length === 0) return [];
    return [...result.faults, ...result.damages.map(({ path, what }) => `${path}: ${what}`)];
  }

  coverage(): readonly string[] {
    const rows = (counts: ReadonlyMap<string, number>): readonly string[] =>
      [...counts].sort().map(([name, count]) => `  ${name.padEnd(44)} ${count}`);
    return ["damaged:", ...rows(this.#damaged), "what became of it:", ...rows(this.#outcomes)];
  }

  missing(): readonly string[] {
    if (this.#cases < casesToTell) return [];
    return endings
      .filter((ending) => !this.#damaged.has(ending))
      .map((ending) => `no ${ending} was damaged`);
  }

  async #case(seed: number, kind: "journal" | "log"): Promise<CaseResult> {
    try {
      return await (kind === "journal" ? runJournalCase(seed) : runLogCase(seed, this.#reopen));
    } catch (error) {
      const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
      const what = `threw ${stack.split("\n").slice(0, 6).join(" | ")}`;
      return { faults: [what], damages: [], outcome: "threw" };
    }
  }
}

function add(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function endingOf(path: string): string {
  return path.slice(Math.max(path.lastIndexOf("."), path.lastIndexOf("/")) + 1);
}
