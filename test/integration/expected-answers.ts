/** What the examples must answer, and how it is found in what they print. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

const data = join(import.meta.dirname, "../../node_modules/vega-datasets/data");

/** Straight from the files, without the examples' own code. One line an answer, sorted. */
export function expectedLines(): readonly string[] {
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

/** An example's answer: the indented lines of what it printed. */
export function answers(output: string): readonly string[] {
  return output
    .split("\n")
    .filter((line) => line.startsWith("  "))
    .map((line) => line.trim());
}
