/** What the figures about tiers share: an object store of files, and logs that get lost. */
import { lstatSync, readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Place, Setup } from "./brokers.ts";
import { pause } from "./processes.ts";

type In = Pick<Place, "directory">;

const pollMs = 200;
const quietMs = 3_000;
const quietMsMax = 180_000;

export const objectsInFiles: Setup = {
  settings: (directory) => ({ "millrace.object.store": `file:${objectsFolder({ directory })}` }),
};

export function objectsFolder({ directory }: In): string {
  return join(directory, "objects");
}

export function objectBytes(place: In): number {
  return bytesBelow(objectsFolder(place), () => true);
}

/** Of Millrace's local logs; their indexes and the journal do not count. */
export function localLogBytes(place: In): number {
  return bytesBelow(logsFolder(place), (name) => name.endsWith(".log"));
}

/** As if the disk were new, but for the metadata. Millrace must not run. */
export async function loseLogs(place: In): Promise<void> {
  await rm(logsFolder(place), { recursive: true, force: true });
}

function logsFolder({ directory }: In): string {
  return join(directory, "data/partitions");
}

/** Resolves when nothing came for a while: what is under 64 MiB may wait for up to a minute. */
export async function waitUntilUploaded(place: In): Promise<number> {
  const deadline = performance.now() + quietMsMax;
  let bytes = objectBytes(place);
  for (let since = performance.now(); performance.now() - since < quietMs; await pause(pollMs)) {
    const now = objectBytes(place);
    if (now === bytes) continue;
    if (performance.now() > deadline) throw new Error("uploads do not come to an end");
    bytes = now;
    since = performance.now();
  }
  return bytes;
}

/** By the lengths of files; what goes away meanwhile does not count. */
export function bytesBelow(folder: string, counts: (name: string) => boolean): number {
  let bytes = 0;
  for (const entry of orAbsent(() => readdirSync(folder, { withFileTypes: true })) ?? []) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) bytes += bytesBelow(path, counts);
    else if (counts(entry.name)) bytes += orAbsent(() => lstatSync(path).size) ?? 0;
  }
  return bytes;
}

function orAbsent<Result>(read: () => Result): Result | undefined {
  try {
    return read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
