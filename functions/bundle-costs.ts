/**
 * `npm run bench:functions -- [--starts 9]`: what each function's bundle weighs, and the CPU time that
 * its import takes: medians, and the least, which is what the test holds below a bound. Measured as
 * the test measures.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { deflateRawSync } from "node:zlib";
import { type Bundled, bundleFunctions } from "./build.ts";
import { type ImportCost, importCosts, importMsMax, startMsUsual } from "./import-cost.ts";

/** Each file for itself, as in the archive that Lambda is given. */
function compressedBytes(folder: string): number {
  const files = readdirSync(folder).map((name) => readFileSync(join(folder, name)));
  return files.reduce((sum, file) => sum + deflateRawSync(file).length, 0);
}

/** Of an odd number. */
function medianOf(costs: readonly ImportCost[], part: keyof ImportCost): number {
  const sorted = costs.map((cost) => cost[part]).toSorted((one, other) => one - other);
  return sorted[(sorted.length - 1) / 2] ?? Number.NaN;
}

function row(bundle: Bundled, costs: readonly ImportCost[]): string {
  const least = Math.min(...costs.map(({ usualImportMs }) => usualImportMs));
  const cells = [
    bundle.name,
    ...[bundle.bytes, compressedBytes(bundle.folder)].map((bytes) => bytes.toLocaleString("en")),
    ...[medianOf(costs, "startMs"), medianOf(costs, "importMs")].map(inMs),
    ...[medianOf(costs, "usualImportMs"), least].map(inMs),
  ];
  return `| ${cells.join(" | ")} |`;
}

function inMs(value: number): string {
  return value.toFixed(1);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function load(): string {
  return loadavg()
    .map((value) => value.toFixed(1))
    .join(", ");
}

function sayTable(bundles: readonly Bundled[], starts: number): void {
  const processors = cpus();
  say(`${processors.length} × ${processors[0]?.model ?? "unknown"}, Node ${process.version}`);
  say(`${new Date().toISOString()}, load of 1, 5 and 15 minutes before: ${load()}\n`);
  const usual = `where Node starts in ${startMsUsual}`;
  say(
    `| CPU ms, medians of ${starts} | bytes | compressed | Node's start | import | import ${usual} | least of these (bound ${importMsMax}) |`,
  );
  say("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
  for (const bundle of bundles) say(row(bundle, importCosts(bundle, starts)));
  say(`\nload after: ${load()}`);
}

const { values } = parseArgs({ options: { starts: { type: "string", default: "9" } } });
const starts = Number(values.starts);
if (!Number.isInteger(starts) || starts % 2 !== 1) throw new Error("--starts wants an odd number");
const folder = mkdtempSync(join(tmpdir(), "millrace-functions-"));
try {
  sayTable(await bundleFunctions(folder), starts);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
