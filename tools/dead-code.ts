/** Dead code by knip, with the number of files that it looked at (knip itself does not say). */
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { join } from "node:path";

const root = process.argv[2] ?? join(import.meta.dirname, "..");
const sources = globSync(
  "{core,wire,adapters,broker-fargate,cli,sdk,control-api,functions,infra,test,tools,examples}/**/*.ts",
  {
    cwd: root,
    exclude: (name) => name === "node_modules",
  },
);
const knip = join(import.meta.dirname, "../node_modules/knip/bin/knip.js");
const run = spawnSync(process.execPath, [knip, "--no-progress", "--directory", root], {
  encoding: "utf8",
});
process.stdout.write(run.stdout + run.stderr);
console.log(`looked at ${sources.length} files`);
process.exitCode = run.status ?? 1;
