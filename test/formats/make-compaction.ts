/**
 * Writes the checked-in files of compaction of this release's format:
 * `node test/formats/make-compaction.ts`. Refuses to write over one: a released file never changes.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compactionDirectory, writeCompactionFiles } from "./compaction-files.ts";

mkdirSync(compactionDirectory, { recursive: true });
for (const [name, bytes] of await writeCompactionFiles()) {
  const path = join(compactionDirectory, name);
  if (existsSync(path)) throw new Error(`${path} is there; a released file never changes`);
  writeFileSync(path, bytes);
  process.stdout.write(`${name}: ${bytes.length} bytes\n`);
}
