/** The small files that compaction writes beside a log's segments, as this release writes them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { MemoryDisk } from "@millrace/adapter-memory";
import { crc32c } from "@millrace/wire";
import { writeCleanedOffset } from "../../core/src/log/cleaned-offset.ts";
import { writeCompactedGaps } from "../../core/src/log/compacted-gaps.ts";

/** Those of format 1, checked in. */
export const compactionDirectory: string = join(import.meta.dirname, "compaction-1");
export const compactionNames = ["cleaned-offset", "compacted-gaps"] as const;
export type CompactionName = (typeof compactionNames)[number];

/** One of more than 32 bits: offsets have 64. */
export const cleanedTo: number = 2 ** 33 + 7;
export const gaps: readonly { readonly from: number; readonly to: number }[] = [
  { from: 17, to: 130 },
  { from: 2 ** 32 - 1, to: 2 ** 33 + 5 },
  { from: 200, to: 201 },
];

export async function writeCompactionFiles(): Promise<ReadonlyMap<CompactionName, Uint8Array>> {
  const disk = new MemoryDisk();
  const directory = "partitions/p-0";
  disk.makeDirectory(directory);
  const files = { disk, directory, crc32c };
  writeCleanedOffset(files, cleanedTo);
  await writeCompactedGaps(files, gaps, () => false);
  return new Map(compactionNames.map((name) => [name, disk.bytesOf(`${directory}/${name}`)]));
}

export function compactionFile(name: CompactionName): Uint8Array {
  return readFileSync(join(compactionDirectory, name));
}
