import { spawn } from "node:child_process";
import { stripVTControlCharacters } from "node:util";

/** One gate: a command, and how to read from its output how much it looked at. */
export interface Step {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** How many files or cases the gate saw; 0 fails it, because a gate that saw nothing holds nothing. */
  readonly count: (output: string) => number;
  readonly unit: string;
}

export interface StepResult {
  readonly name: string;
  readonly ok: boolean;
  readonly seen: number;
  readonly unit: string;
  readonly seconds: number;
  readonly output: string;
}

export function runStep(step: Step, cwd: string): Promise<StepResult> {
  const started = performance.now();
  return new Promise((resolve) => {
    const child = spawn(step.command, step.args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
    const chunks: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
    const finish = (exitCode: number | null, problem: string): void => {
      const output = Buffer.concat(chunks).toString() + problem;
      const seen = step.count(output);
      const seconds = (performance.now() - started) / 1000;
      const ok = exitCode === 0 && seen > 0;
      resolve({ name: step.name, ok, seen, unit: step.unit, seconds, output });
    };
    child.on("error", (error) => finish(null, `${error.message}\n`));
    child.on("close", (exitCode) => finish(exitCode, ""));
  });
}

export function describeResult(result: StepResult): string {
  const mark = result.ok ? "ok  " : "FAIL";
  const why = !result.ok && result.seen === 0 ? "  (it looked at nothing)" : "";
  const seen = `${result.seen} ${result.unit}`;
  return `${mark} ${result.name.padEnd(14)} ${seen.padEnd(16)} ${result.seconds.toFixed(1)} s${why}`;
}

/** The number that the pattern's last group captured last, or 0. */
export function lastNumber(pattern: RegExp): (output: string) => number {
  return (output) => {
    const all = [...output.matchAll(new RegExp(pattern, `${pattern.flags}g`))];
    return Number(all.at(-1)?.[1] ?? 0);
  };
}

/** Lines that begin with FAIL or FAILED, as every lane marks what failed; each once. */
export function failuresIn(output: string): readonly string[] {
  const lines = stripVTControlCharacters(output).split("\n");
  return [...new Set(lines.map((line) => line.trim()).filter((line) => /^FAIL(ED)?\b/.test(line)))];
}
