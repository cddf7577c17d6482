/**
 * The last result of each figure, kept in the cache: the figures take an hour together, and may be
 * measured one by one. A document is made of results of one scale and one machine only, and names
 * the figures that have none.
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

function fileOf(cache: string, figure: string, scale: Scale["name"]): string {
  return join(cache, `${figure}.${scale}.json`);
}

export async function keepResult(cache: string, result: Result): Promise<void> {
  await mkdir(cache, { recursive: true });
  const file = fileOf(cache, result.figure, result.scale);
  await writeFile(file, `${JSON.stringify(result, undefined, 2)}\n`);
}

/** Of those figures that were measured at this size on this machine; throws where none was. */
export async function readResults(
  cache: string,
  figures: readonly Figure[],
  wanted: { readonly scale: Scale["name"]; readonly machine: Machine },
): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const { name } of figures) {
    const result = await readResult(fileOf(cache, name, wanted.scale));
    const isUsable = JSON.stringify(result?.machine) === JSON.stringify(wanted.machine);
    if (result !== undefined && isUsable) results.push(result);
  }
  if (results.length === 0) throw new Error("nothing was measured on this machine");
  return results;
}

async function readResult(file: string): Promise<Result | undefined> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as Result;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
