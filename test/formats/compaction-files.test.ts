/** docs/formats.md says what compaction writes: files of format 1 are read by its tables alone. */
import { crc32c } from "@millrace/wire";
import { decodeCleanedOffset, decodeCompactedGaps } from "@millrace/core";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readCleanedOffset, readCompactedGaps } from "./by-the-tables.ts";
import {
  cleanedTo,
  compactionDirectory,
  compactionFile,
  compactionNames,
  gaps,
  writeCompactionFiles,
} from "./compaction-files.ts";
import { all, linesOf, picked, run } from "./dump-process.ts";

test("this release writes the same bytes", async () => {
  const written = await writeCompactionFiles();
  expect(written.size).toBe(2);
  for (const [name, bytes] of written) {
    expect([name, Buffer.from(bytes).equals(compactionFile(name))]).toEqual([name, true]);
  }
});

test("they hold what the tables say, and this release reads them so", () => {
  const [cleaned, gapped] = [compactionFile("cleaned-offset"), compactionFile("compacted-gaps")];
  expect(readCleanedOffset(cleaned)).toBe(cleanedTo);
  expect(readCompactedGaps(gapped)).toEqual(gaps.map(({ from, to }) => [from, to]));
  expect(decodeCleanedOffset(cleaned, crc32c)).toBe(cleanedTo);
  expect(decodeCompactedGaps(gapped, crc32c)).toEqual(gaps);
});

describe("of what compaction writes beside segments `log dump` prints", () => {
  const paths = compactionNames.map((name) => join(compactionDirectory, name));

  test("what the tables tell", () => {
    const dumped = run("log", "dump", ...paths, ...all);
    expect([dumped.status, dumped.stderr]).toEqual([0, ""]);
    const [cleaned, gapped] = paths.map((path) => linesOf(dumped).get(path));
    expect(picked(cleaned, "cleaned", ["to"])).toEqual([
      [readCleanedOffset(compactionFile("cleaned-offset"))],
    ]);
    const told = readCompactedGaps(compactionFile("compacted-gaps"));
    expect(picked(gapped, "gap", ["from", "to"])).toEqual(told);
    expect(picked(gapped, "sound", ["gaps"])).toEqual([[told.length]]);
  });

  test.each(compactionNames)("that %s is damaged, under whatever name", (name) => {
    const directory = mkdtempSync(join(tmpdir(), "millrace-compaction-"));
    try {
      for (const copy of [name, "copied"]) {
        const bytes = compactionFile(name);
        bytes[9] = (bytes[9] ?? 0) ^ 1;
        writeFileSync(join(directory, copy), bytes);
        const dumped = run("log", "dump", join(directory, copy), ...all);
        expect(dumped.status).toBe(1);
        const lines = linesOf(dumped).get(join(directory, copy));
        expect(picked(lines, "file", ["kind"])).toEqual([[name.replace("-", " ")]]);
        expect(picked(lines, "damaged", ["damagedFrom"])).toEqual([[0]]);
      }
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
