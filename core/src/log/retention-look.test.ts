import { MemoryDisk } from "@millrace/adapter-memory";
import { expect, test } from "vitest";
import {
  appendAll,
  batchFormat,
  crc32c,
  directory,
  findTimestamp,
  openTestLog,
  smallSegments,
  testBatch,
} from "../../../test/fixtures/partition-log.ts";
import { decideRetention, retentionDueMs } from "./retention.ts";
import { lookAtLog } from "./retention-look.ts";

const rules = { retentionMs: 1000, retentionBytes: -1, cleanupPolicy: { delete: true } };

/** A closed log of some segments whose batches have the timestamps 0, 100, 200 … */
function written(
  disk: MemoryDisk,
  batches: number,
  timestamp = (i: number): number => i * 100,
): void {
  const log = openTestLog(disk);
  for (let i = 0; i < batches; i++) {
    appendAll(log, [testBatch({ baseOffset: i, timestamps: [timestamp(i)], valueBytes: 100 })]);
  }
  log.close();
}

function look(disk: MemoryDisk, asked = rules): ReturnType<typeof lookAtLog> {
  const files = { disk, directory, format: batchFormat, crc32c, findTimestamp };
  return lookAtLog(files, smallSegments, asked);
}

test("finds out from a folder when retention of an idle log is due", () => {
  const disk = new MemoryDisk();
  expect(look(disk)).toBeUndefined();
  written(disk, 20);
  const log = openTestLog(disk);
  const [oldest] = [...log.segments()];
  const found = look(disk);
  expect(found?.segments.map(({ baseOffset }) => baseOffset)).toEqual(
    [...log.segments()].map(({ baseOffset }) => baseOffset),
  );
  expect(found?.segments[0]).toEqual({
    baseOffset: 0,
    sizeBytes: oldest?.sizeBytes,
    largestTimestamp: oldest?.maxTimestamp,
  });
  if (found === undefined || oldest === undefined) throw new Error("nothing was found");
  expect(retentionDueMs(found, rules, 0)).toBe(oldest.maxTimestamp + 1001);
  log.close();
});

test("counts bytes where a topic's size is bounded", () => {
  const disk = new MemoryDisk();
  written(disk, 20);
  const log = openTestLog(disk);
  const bytes = log.sizeBytes;
  const bounded = { ...rules, retentionMs: -1, retentionBytes: bytes - 1200 };
  const found = look(disk, bounded);
  if (found === undefined) throw new Error("nothing was found");
  const [first, second] = [...log.segments()];
  expect((first?.sizeBytes ?? 0) + (second?.sizeBytes ?? 0)).toBeGreaterThan(1200);
  expect(decideRetention(found, bounded, 0)).toEqual([
    { reason: "size", upTo: second?.baseOffset, segments: 1, bytes: first?.sizeBytes },
  ]);
  log.close();
});

test("goes by the age of the file where no record has a timestamp", () => {
  let wallMs = 5000;
  const disk = new MemoryDisk({ wallMs: () => wallMs });
  written(disk, 2, () => -1);
  wallMs = 5500;
  const found = look(disk);
  if (found === undefined) throw new Error("nothing was found");
  expect(retentionDueMs(found, rules, wallMs)).toBe(6001);
});

test("opens no more than the oldest segment, and leaves the files as they are", () => {
  const disk = new MemoryDisk();
  written(disk, 20);
  const before = disk.paths().map((path) => [path, disk.bytesOf(path)]);
  const opened: string[] = [];
  const watched = Object.create(disk, {
    open: {
      value: (path: string, options: { readonly create: "never" | "ifAbsent" }) => {
        opened.push(path.slice(directory.length + 1));
        return disk.open(path, options);
      },
    },
    list: { value: (folder: string) => disk.list(folder) },
  }) as MemoryDisk;
  look(watched);
  const oldest = "0".repeat(20);
  expect(new Set(opened)).toEqual(
    new Set([`${oldest}.log`, `${oldest}.index`, `${oldest}.timeindex`]),
  );
  expect(disk.paths().map((path) => [path, disk.bytesOf(path)])).toEqual(before);
});
