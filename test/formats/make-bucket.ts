/**
 * Writes the checked-in objects of this release's format: `node test/formats/make-bucket.ts`. Refuses
 * to write over one: an object of a released format never changes.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { bucketObjects } from "./bucket-contents.ts";
import { bucketDirectory } from "./bucket-tables.ts";

for (const [key, bytes] of bucketObjects()) {
  const path = join(bucketDirectory, key);
  if (existsSync(path)) throw new Error(`${path} is there; a released object never changes`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  process.stdout.write(`${key}: ${bytes.length} bytes\n`);
}
