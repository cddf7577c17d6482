/**
 * Fuzzing, as long as one likes: `node test/fuzz/run.ts [--target decoders|handlers|listener|
 * recovery|all] [--seed N] [--minutes M | --cases N]`.
 *
 * One seed is one case. Prints what was covered, and for every case that failed what was wrong and
 * the command that runs it again. Exits with 1 for a failed case, and for something that should
 * have been covered and was not.
 */
import { parseArgs } from "node:util";
import { type Budget, type Finding, fuzz, repeatCommand, type Target } from "./target.ts";
import { targets } from "./targets.ts";

const { values } = parseArgs({
  options: {
    target: { type: "string", default: "all" },
    seed: { type: "string", default: "1" },
    minutes: { type: "string" },
    cases: { type: "string" },
  },
});
const minutes = values.minutes ?? (values.cases === undefined ? "1" : "600");
const budget: Budget = {
  seed: Number(values.seed),
  casesMax: Number(values.cases ?? Number.MAX_SAFE_INTEGER),
  msMax: Number(minutes) * 60_000,
  findingsMax: 10,
};
const chosen = targets.filter(({ name }) => values.target === "all" || values.target === name);
if (chosen.length === 0) throw new Error(`no target ${values.target}`);

let isBad = false;
process.on("unhandledRejection", (error) => {
  isBad = true;
  console.log(`unhandled rejection: ${error instanceof Error ? error.stack : String(error)}`);
});
for (const { name, open } of chosen) {
  isBad = (await runTarget(name, await open())) || isBad;
}
process.exitCode = isBad ? 1 : 0;

async function runTarget(name: string, target: Target): Promise<boolean> {
  const onFinding = ({ seed, what }: Finding): void => {
    console.log(`FAILED: ${repeatCommand(name, seed)}`);
    for (const line of what.slice(0, 12)) console.log(`  ${line}`);
  };
  const { cases, findings, seconds, ending } = await fuzz(target, { ...budget, onFinding });
  for (const line of ending) console.log(`FAILED at the end: ${line}`);
  const rate = (cases / seconds).toFixed(cases / seconds < 10 ? 1 : 0);
  console.log(`\n${name}: ${cases} cases from seed ${budget.seed}, ${rate} a second`);
  for (const line of target.coverage()) console.log(line);
  for (const { seed } of findings) {
    const lines = (await target.shrink?.(seed)) ?? [];
    if (lines.length > 0) console.log(`the case of seed ${seed}: ${lines.join("\n  ")}`);
  }
  const missing = target.missing();
  for (const line of missing) console.log(`NOT COVERED: ${line}`);
  console.log(`${findings.length + ending.length} findings`);
  return findings.length + ending.length + missing.length > 0;
}
