/**
 * `npm run nightly`: the long forms, one after another, also after one that failed; hours of two
 * cores. Seeds are of the day, so that each night looks elsewhere; NIGHTLY_DAY=YYYYMMDD repeats one.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const today = new Date().toISOString().slice(0, 10).replaceAll("-", "");
const day = process.env["NIGHTLY_DAY"] ?? today;
const seed = `${day}0000`;
const simulate = ["test/simulation/run.ts", "--jobs", "2"];

const lanes: readonly (readonly string[])[] = [
  ["tools/test.ts", "--project", "unit"],
  ["test/fuzz/run.ts", "--minutes", "20", "--seed", seed],
  [...simulate, "--events", "2500", "--seeds", "300", "--from", seed],
  [...simulate, "--regime", "cluster", "--events", "2500", "--seeds", "300", "--from", seed],
  [...simulate, "--mutations", "--starts", seed],
  ["test/durability/run.ts", "--kills", "60"],
  ["test/cluster/run.ts", "--kind", "kill,pause,stop,move,host", "--times", "20"],
  ["test/hardness/run.ts"],
  ["test/soak/run.ts"],
  ["test/soak/run.ts", "--tiers"],
];

const failed = lanes.filter((args) => {
  console.log(`\n== node ${args.join(" ")}`);
  const env = { ...process.env, MILLRACE_SEED: day };
  const { status } = spawnSync(process.execPath, args, { cwd: root, env, stdio: "inherit" });
  return status !== 0;
});
for (const args of failed) console.log(`failed: node ${args.join(" ")}`);
console.log(`${lanes.length - failed.length} passed, ${failed.length} failed`);
process.exitCode = failed.length === 0 ? 0 : 1;
