/**
 * What a loss of power may do to files, done to the files of a broker that was killed: everything
 * past a file's last completed fdatasync may be gone, or be other bytes.
 *
 * The broker's Disk adapter writes one line `{"path", "length"}` per completed fdatasync into the
 * file that MILLRACE_TEST_SYNC_LOG names. lmdb's own files are left alone: lmdb vouches for them.
 */
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { join, relative } from "node:path";
import type { Random } from "@millrace/core";

export interface Damage {
  readonly path: string;
  readonly syncedBytes: number;
  readonly lostBytes: number;
  readonly how: "cut" | "overwritten";
}

/** Paths relative to the data folder → bytes that were durable when the broker died. */
export function readSyncLog(path: string): ReadonlyMap<string, number> {
  const lengths = new Map<string, number>();
  // No file: no fdatasync has completed yet.
  if (!existsSync(path)) return lengths;
  for (const line of readFileSync(path, "utf8").split("\n")) {
    if (line === "") continue;
    const entry = JSON.parse(line) as { readonly path: string; readonly length: number };
    lengths.set(entry.path, entry.length);
  }
  return lengths;
}

export function loseUnsynced(
  data: string,
  synced: ReadonlyMap<string, number>,
  random: Random,
): readonly Damage[] {
  const damages: Damage[] = [];
  for (const folder of ["partitions", "journal"]) {
    for (const path of filesBelow(join(data, folder))) {
      const syncedBytes = synced.get(relative(data, path)) ?? 0;
      const size = writtenEnd(path);
      if (size <= syncedBytes) continue;
      const keep = syncedBytes + random.below(size - syncedBytes);
      const how = random.below(2) === 0 ? "cut" : "overwritten";
      if (how === "cut") truncateSync(path, keep);
      else overwrite(path, { from: keep, to: size, random });
      damages.push({ path: relative(data, path), syncedBytes, lostBytes: size - keep, how });
    }
  }
  return damages;
}

function overwrite(
  path: string,
  span: { readonly from: number; readonly to: number; readonly random: Random },
): void {
  const length = Math.min(span.to - span.from, 1 << 20);
  const noise = span.random.bytes(length);
  const file = openSync(path, "r+");
  writeSync(file, noise, 0, length, span.from);
  closeSync(file);
}

/** A journal file is preallocated with zeros: what was written ends before them. */
function writtenEnd(path: string): number {
  const bytes = readFileSync(path);
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return end;
}

function filesBelow(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
