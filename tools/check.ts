/** `npm run check`: every gate, one line each. `--only NAME,NAME` or `--except NAME`: some of them. */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { describeResult, lastNumber, runStep, type Step, type StepResult } from "./steps.ts";

const root = join(import.meta.dirname, "..");
const bin = (name: string): string => join(root, "node_modules/.bin", name);
const countLines = (output: string): number =>
  output.split("\n").filter((line) => line.includes(root) && !line.includes("node_modules")).length;

const steps: readonly Step[] = [
  {
    name: "format",
    command: bin("biome"),
    args: ["format", "--colors=off", "."],
    count: lastNumber(/Checked (\d+) files?/),
    unit: "files",
  },
  {
    name: "lint",
    command: bin("oxlint"),
    args: ["--type-aware", "--deny-warnings", "."],
    count: lastNumber(/on (\d+) files?/),
    unit: "files",
  },
  ...[
    "tsconfig.json",
    "core/tsconfig.json",
    "wire/tsconfig.json",
    "examples/typed-pipeline/tsconfig.json",
  ].map(
    (project): Step => ({
      name: project === "tsconfig.json" ? "types" : `types ${project.split("/")[0]}`,
      command: bin("tsc"),
      args: ["--noEmit", "--listFiles", "-p", project],
      count: countLines,
      unit: "files",
    }),
  ),
  {
    name: "dead code",
    command: process.execPath,
    args: [join(root, "tools/dead-code.ts")],
    count: lastNumber(/looked at (\d+) files/),
    unit: "files",
  },
  {
    name: "generated",
    command: process.execPath,
    args: [join(root, "wire/generator/generate.ts"), "--check"],
    count: lastNumber(/(\d+) files/),
    unit: "files",
  },
  {
    name: "generated api",
    command: process.execPath,
    args: [join(root, "control-api/tools/openapi.ts"), "--check"],
    count: lastNumber(/from the API: (\d+) files/),
    unit: "files",
  },
  {
    name: "unit tests",
    command: process.execPath,
    args: [join(root, "node_modules/vitest/vitest.mjs"), "run", "--project", "unit"],
    count: lastNumber(/Tests\s.*?(\d+) passed/),
    unit: "tests",
  },
];

/** The names behind a flag. One that no gate has is an error: it would pass over a gate in silence. */
function namesAfter(flag: string): readonly string[] | undefined {
  const at = process.argv.indexOf(flag);
  if (at < 0) return undefined;
  const names = (process.argv[at + 1] ?? "").split(",");
  const unknown = names.filter((name) => !steps.some((step) => step.name === name));
  if (unknown.length > 0) throw new Error(`no gate is named ${unknown.join(", ")}`);
  return names;
}

const only = namesAfter("--only");
const except = namesAfter("--except");
// The tests come last: they use every core, and some of them measure time.
const queue = steps.filter(
  ({ name }) => (only?.includes(name) ?? true) && !(except?.includes(name) ?? false),
);
const results: StepResult[] = [];

async function work(): Promise<void> {
  for (let step = queue.shift(); step !== undefined; step = queue.shift()) {
    const result = await runStep(step, root);
    results.push(result);
    console.log(describeResult(result));
    if (!result.ok) console.log(result.output.trimEnd().split("\n").slice(-120).join("\n"));
  }
}

await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, work));
const failed = results.filter((result) => !result.ok).length;
console.log(`${results.length - failed} of ${results.length} gates hold`);
process.exitCode = failed === 0 && results.length > 0 ? 0 : 1;
