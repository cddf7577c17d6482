/** Two public data sets (from npm's vega-datasets) as events with a key, a value and headers. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export interface Event {
  readonly key: string;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** An answer that is folded from events, and printed one line a key. */
export interface DataSet {
  readonly name: string;
  readonly events: () => readonly Event[];
  readonly newAnswer: () => Answer;
}

export interface Answer {
  take(event: { readonly key: string; readonly value: string }): void;
  /** Sorted by key. */
  lines(): readonly string[];
}

function read(file: string): string {
  const data = new URL(`../data/${file}`, import.meta.resolve("vega-datasets"));
  return readFileSync(fileURLToPath(data), "utf8");
}

interface Flight {
  readonly date: string;
  readonly delay: number;
  readonly distance: number;
  readonly origin: string;
  readonly destination: string;
}

/** 20,000 flights in the United States in 2001: which airports do they leave late? */
const flights: DataSet = {
  name: "flights",
  events: () =>
    (JSON.parse(read("flights-20k.json")) as readonly Flight[]).map((flight) => ({
      key: flight.origin,
      value: JSON.stringify(flight),
      headers: { source: "flights-20k", route: `${flight.origin}-${flight.destination}` },
    })),
  newAnswer: () => {
    const origins = new Map<string, { flights: number; delay: number }>();
    return {
      take: ({ key, value }) => {
        const flight = JSON.parse(value) as Flight;
        const seen = origins.get(key) ?? { flights: 0, delay: 0 };
        origins.set(key, { flights: seen.flights + 1, delay: seen.delay + flight.delay });
      },
      lines: () =>
        [...origins.keys()].sort().map((origin) => {
          const { flights: count, delay } = origins.get(origin) ?? { flights: 0, delay: 0 };
          return `${origin} ${count} flights, ${delay} minutes late in all`;
        }),
    };
  },
};

/**
 * Monthly prices of five stocks: how deep did each fall from its highest price so far? The answer
 * depends on the order of a key's events, so it also shows that the order is kept.
 */
const stocks: DataSet = {
  name: "stocks",
  events: () =>
    read("stocks.csv")
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => {
        const [symbol = "", date = "", price = ""] = line.trim().split(",");
        return { key: symbol, value: price, headers: { source: "stocks", date } };
      }),
  newAnswer: () => {
    const symbols = new Map<string, { peak: number; worst: number }>();
    return {
      take: ({ key, value }) => {
        const price = Number(value);
        const { peak, worst } = symbols.get(key) ?? { peak: 0, worst: 0 };
        const high = Math.max(peak, price);
        symbols.set(key, { peak: high, worst: Math.max(worst, 1 - price / high) });
      },
      lines: () =>
        [...symbols.keys()].sort().map((symbol) => {
          const worst = symbols.get(symbol)?.worst ?? 0;
          return `${symbol} fell by ${(worst * 100).toFixed(1)} % at worst`;
        }),
    };
  },
};

export const dataSets: readonly DataSet[] = [flights, stocks];
