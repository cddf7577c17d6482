/** The examples' answers, computed by a consumer group, are those computed from the files. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");
const data = join(root, "node_modules/vega-datasets/data");
let folder: string;
let broker: ReturnType<typeof spawn>;
let bootstrap: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "millrace-examples-"));
  const main = join(root, "broker-fargate/src/main.ts");
  const flags = ["--data", folder, "--port", "0", "--http-port", "off"];
  const child = spawn(process.execPath, [main, ...flags], { stdio: ["ignore", "pipe", "inherit"] });
  broker = child;
  bootstrap = await new Promise<string>((resolve, reject) => {
    let output = "";
    child.on("close", () => reject(new Error(`the broker ended: ${output}`)));
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      const match = /kafka\s+(127\.0\.0\.1:\d+)/i.exec(output);
      if (match?.[1] !== undefined) resolve(match[1]);
    });
  });
});

afterAll(() => {
  broker.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

/** Straight from the files, without the examples' own code. */
function expectedLines(): readonly string[] {
  const flights = JSON.parse(readFileSync(join(data, "flights-20k.json"), "utf8")) as readonly {
    readonly origin: string;
    readonly delay: number;
  }[];
  const origins = Object.groupBy(flights, (flight) => flight.origin);
  const late = Object.entries(origins).map(([origin, rows = []]) => {
    const delay = rows.reduce((sum, row) => sum + row.delay, 0);
    return `${origin} ${rows.length} flights, ${delay} minutes late in all`;
  });
  const rows = readFileSync(join(data, "stocks.csv"), "utf8").trim().split("\n").slice(1);
  const prices = Object.groupBy(rows, (row) => row.slice(0, row.indexOf(",")));
  const falls = Object.entries(prices).map(([symbol, history = []]) => {
    const series = history.map((row) => Number(row.slice(row.lastIndexOf(",") + 1)));
    const falling = series.map((price, at) => 1 - price / Math.max(...series.slice(0, at + 1)));
    return `${symbol} fell by ${(Math.max(...falling) * 100).toFixed(1)} % at worst`;
  });
  return [...late.sort(), ...falls.sort()];
}

function answers(output: string): readonly string[] {
  return output
    .split("\n")
    .filter((line) => line.startsWith("  "))
    .map((line) => line.trim());
}

test("the TypeScript example answers as the files do", () => {
  const main = join(root, "examples/typescript/src/main.ts");
  const run = spawnSync(process.execPath, [main, bootstrap], { encoding: "utf8", timeout: 90_000 });
  expect(run.stderr).toBe("");
  expect(answers(run.stdout)).toEqual(expectedLines());
});
