/** `.ci/run`, after the install: every lane one after another, and the sum of what they ran. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { failuresIn } from "./steps.ts";

interface Lane {
  readonly name: string;
  readonly args: readonly string[];
}

const root = join(import.meta.dirname, "..");
const lanes: readonly Lane[] = [
  // Not twice: the unit tests are among those of the next lane.
  { name: "check", args: ["tools/check.ts", "--except", "unit tests"] },
  { name: "test", args: ["tools/test.ts"] },
  { name: "examples", args: ["tools/test.ts", "--project", "clients"] },
  { name: "compat", args: ["test/compat/run.ts"] },
  { name: "durability", args: ["test/durability/run.ts"] },
  { name: "cluster", args: ["test/cluster/run.ts"] },
  { name: "localstack", args: ["test/localstack/run.ts", "--kills", "3"] },
  { name: "hardness", args: ["test/hardness/run.ts"] },
];

interface LaneResult {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  /** What the lane printed of what failed. */
  readonly failures: readonly string[];
}

function runLane(lane: Lane): Promise<LaneResult> {
  console.log(`\n== ${lane.name}: node ${lane.args.join(" ")}`);
  return new Promise((resolve) => {
    const child = spawn(process.execPath, lane.args, {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const chunks: Buffer[] = [];
    const hear = (chunk: Buffer, to: NodeJS.WriteStream): void => {
      chunks.push(chunk);
      to.write(chunk);
    };
    child.stdout.on("data", (chunk: Buffer) => hear(chunk, process.stdout));
    child.stderr.on("data", (chunk: Buffer) => hear(chunk, process.stderr));
    child.on("close", (exitCode) =>
      resolve(readResult(lane.name, Buffer.concat(chunks).toString(), exitCode)),
    );
  });
}

/** A lane ends with "N passed, M failed", or with "N of M gates hold". */
function readResult(name: string, output: string, exitCode: number | null): LaneResult {
  const counts = [...output.matchAll(/^(\d+) passed, (\d+) failed$/gm)].at(-1);
  const gates = [...output.matchAll(/^(\d+) of (\d+) gates hold$/gm)].at(-1);
  const passed = Number(counts?.[1] ?? gates?.[1] ?? 0);
  const failed = Number(counts?.[2] ?? Number(gates?.[2] ?? 0) - passed);
  const isBroken = exitCode !== 0 || passed === 0;
  const failures = failuresIn(output);
  return { name, passed, failed: isBroken ? Math.max(failed, 1) : failed, failures };
}

const started = performance.now();
const results: LaneResult[] = [];
for (const lane of lanes) {
  const before = performance.now();
  const result = await runLane(lane);
  results.push(result);
  const seconds = ((performance.now() - before) / 1000).toFixed(0);
  console.log(`== ${lane.name} took ${seconds} s`);
}
const sum = (pick: (result: LaneResult) => number): number =>
  results.reduce((total, result) => total + pick(result), 0);
for (const { failed, failures, name } of results) {
  if (failed > 0) console.log([`\n== ${name}: ${failed} failed`, ...failures].join("\n"));
}
console.log(`\nall lanes took ${((performance.now() - started) / 1000).toFixed(0)} s`);
console.log(`${sum((result) => result.passed)} passed, ${sum((result) => result.failed)} failed`);
process.exitCode = sum((result) => result.failed) === 0 ? 0 : 1;
