/**
 * The last result of each figure: the figures take hours together, and may be measured one by one, on
 * one machine and on another. A run keeps its own in the cache; those behind docs/benchmarks.md are
 * in docs/benchmarks.json, so that a page can be made again of which one figure is new.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Figure, Sample } from "./figure.ts";
import type { Machine } from "./machine.ts";
import type { Scale } from "./scale.ts";

export interface Result {
  readonly figure: string;
  readonly scale: Scale["name"];
  readonly runs: number;
  /** A date, as in 2026-01-31. */
  readonly measuredOn: string;
  readonly machine: Machine;
  readonly samples: readonly Sample[];
}

export interface ResultPlaces {
  /** A folder with a file for each figure and size. */
  readonly cache: string;
  /** The file of all that the page shows. */
  readonly shown: string;
}

function fileOf(cache: string, figure: string, scale: Scale["name"]): string {
  return join(cache, `${figure}.${scale}.json`);
}

export async function keepResult({ cache }: ResultPlaces, result: Result): Promise<void> {
  await mkdir(cache, { recursive: true });
  await writeFile(fileOf(cache, result.figure, result.scale), encoded(result));
}

/** Of each figure the newest at this size, measured here or shown before; throws where there is none. */
export async function readResults(
  { cache, shown }: ResultPlaces,
  figures: readonly Pick<Figure, "name">[],
  scale: Scale["name"],
): Promise<readonly Result[]> {
  const before = (await readIfThere<readonly Result[]>(shown)) ?? [];
  const results: Result[] = [];
  for (const { name } of figures) {
    const own = await readIfThere<Result>(fileOf(cache, name, scale));
    const known = before.find((result) => result.figure === name && result.scale === scale);
    const newest = (own?.measuredOn ?? "") >= (known?.measuredOn ?? "") ? own : known;
    if (newest !== undefined) results.push(newest);
  }
  if (results.length === 0) throw new Error("nothing was measured at this size");
  return results;
}

/** As the file of what the page shows. */
export async function showResults(
  { shown }: ResultPlaces,
  results: readonly Result[],
): Promise<void> {
  await writeFile(shown, encoded(results));
}

function encoded(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

async function readIfThere<Value>(file: string): Promise<Value | undefined> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as Value;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
