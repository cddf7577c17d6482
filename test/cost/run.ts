/**
 * `npm run cost`: counts what brokers ask of their stores, and writes docs/cost.md with the list
 * prices of docs/cost-prices.json. Takes some minutes of one core; everything in it is the same at
 * every run of one tree. `--only name,name` counts those and prints them.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type ScenarioName, scenarios } from "./plan.ts";
import { readPrices } from "./prices.ts";
import { renderCost } from "./report.ts";
import { type Measured, measure } from "./scenarios.ts";

const docPath = join(import.meta.dirname, "../../docs/cost.md");

const { values } = parseArgs({ options: { only: { type: "string" } } });
const all = Object.keys(scenarios) as ScenarioName[];
const wanted = values.only === undefined ? all : all.filter((name) => isWanted(name));
const counted: Partial<Record<ScenarioName, Measured>> = {};
for (const name of wanted) {
  const startedMs = performance.now();
  const measured = await measure(scenarios[name]);
  counted[name] = measured;
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  process.stdout.write(`${scenarios[name].name}: ${seconds} s\n`);
  if (values.only !== undefined) console.dir(measured, { depth: 4 });
}
if (values.only === undefined) {
  writeFileSync(docPath, renderCost(counted as Record<ScenarioName, Measured>, readPrices()));
  process.stdout.write("docs/cost.md is written\n");
}

function isWanted(name: string): boolean {
  return values.only?.split(",").includes(name) === true;
}
