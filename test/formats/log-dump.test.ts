/**
 * `millrace log dump` as a process: what it prints of the checked-in directories and objects is what
 * the tables say, and what is damaged in a copy it finds, at the byte where it begins.
 */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { MemoryDisk } from "@millrace/adapter-memory";
import { crc32c } from "@millrace/wire";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SegmentIndex } from "../../core/src/log/segment-index.ts";
import { bucketDirectory, bucketFiles, readCheckpoint, readImage } from "./bucket-tables.ts";
import {
  journalFiles,
  partitionFolders,
  readJournalFile,
  readLeaderEpochs,
  readSegment,
  readSnapshot,
} from "./by-the-tables.ts";
import { all, type Line, linesOf, picked, run } from "./dump-process.ts";
import { fixtures, withCopy } from "./fixtures.ts";

function filesBelow(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

describe.each(fixtures())("of the directory $name it prints", (fixture) => {
  test("every file of it, sound, as the tables tell, and changes nothing", () =>
    withCopy(fixture, async (directory) => {
      const files = ["partitions", "journal"].flatMap((name) => filesBelow(join(directory, name)));
      const before = files.map((path) => readFileSync(path));
      const everything = filesBelow(directory);
      const dumped = run("log", "dump", ...files, ...all);
      expect([dumped.status, dumped.stderr]).toEqual([0, ""]);
      const lines = linesOf(dumped);
      expect([...lines.keys()]).toEqual(files);
      for (const { files: contents, name } of partitionFolders(directory)) {
        const of = (file: string) => lines.get(join(directory, "partitions", name, file));
        for (const [file, bytes] of contents) expectFile(file, bytes, of(file));
      }
      const objects = journalFiles(directory).flatMap(readJournalFile);
      const entries = [...lines.values()].flatMap((some) =>
        picked(some, "entry", ["topicId", "partition", "slot", "baseOffset", "lastOffset"]),
      );
      const told = entries.filter(([topicId]) => topicId !== undefined);
      const written = objects.flatMap((object) =>
        object.entries.map((entry) => [
          ...[entry.topicId, entry.partition, entry.slot],
          ...[entry.baseOffset, entry.lastOffset],
        ]),
      );
      expect(told.map(String).toSorted()).toEqual(written.map(String).toSorted());
      for (const [index, path] of files.entries()) {
        expect(readFileSync(path).equals(before[index] ?? new Uint8Array())).toBe(true);
      }
      expect(filesBelow(directory)).toEqual(everything);
    }));

  test("every record of it too", () =>
    withCopy(fixture, async (directory) => {
      const files = filesBelow(join(directory, "partitions"));
      const segments = files.filter((path) => path.endsWith(".log"));
      const dumped = run("log", "dump", ...segments, "--records", ...all);
      expect(dumped.status).toBe(0);
      for (const [path, lines] of linesOf(dumped)) {
        const offsets = picked(lines, "record", ["offset"]).flat();
        const batches = picked(lines, "batch", ["records"]).flat() as number[];
        expect(offsets).toHaveLength(batches.reduce((sum, count) => sum + count, 0));
        expect(offsets).toEqual(offsets.toSorted((a, b) => Number(a) - Number(b)));
        expect(readSegment(readFileSync(path))).toHaveLength(batches.length);
      }
    }));
});

/** What is printed of one file of a partition, against what its table makes of it. */
function expectFile(name: string, bytes: Uint8Array, lines: readonly Line[] | undefined): void {
  expect(lines?.at(-1)?.["what"]).toBe("sound");
  if (name.endsWith(".log")) {
    const fields = ["at", "bytes", "baseOffset", "lastOffset", "leaderEpoch", "maxTimestamp"];
    expect(picked(lines, "batch", fields)).toEqual(
      readSegment(bytes).map((batch) => [
        ...[batch.position, batch.bytes, batch.baseOffset, batch.lastOffset],
        ...[batch.leaderEpoch, batch.maxTimestamp],
      ]),
    );
  } else if (name.endsWith(".index")) {
    expect(picked(lines, "entry", ["at"])).toHaveLength((bytes.length - 16) / 8);
  } else if (name.endsWith(".snapshot")) {
    const { offset, producers } = readSnapshot(bytes);
    expect(picked(lines, "header", ["offset"])).toEqual([[offset]]);
    expect(picked(lines, "producer", ["producerId", "producerEpoch"])).toEqual(
      producers.map(({ epoch, producerId }) => [producerId, epoch]),
    );
  } else if (name === "leader-epochs") {
    expect(picked(lines, "epoch", ["epoch", "startOffset"])).toEqual(
      readLeaderEpochs(bytes).map(({ epoch, startOffset }) => [epoch, startOffset]),
    );
  } else {
    expect(name).toMatch(/\.timeindex$/u);
  }
}

test("of the bucket's objects it prints what the tables tell", () => {
  const keys = [...bucketFiles().keys()];
  const paths = keys.map((key) => join(bucketDirectory, key));
  const dumped = run("log", "dump", ...paths, "--records", ...all);
  expect([dumped.status, dumped.stderr]).toEqual([0, ""]);
  const lines = linesOf(dumped);
  for (const [key, bytes] of bucketFiles()) {
    const told = lines.get(join(bucketDirectory, key));
    const fields = ["topicId", "partition", "baseOffset", "nextOffset", "recordCount"];
    if (key.includes("/data/")) {
      const image = readImage(bytes);
      expect(picked(told, "image", fields)).toEqual([
        [image.topicId, image.partition, image.baseOffset, image.nextOffset, image.recordCount],
      ]);
      const entry = ["baseOffset", "position", "maxTimestampBefore"];
      expect(picked(told, "index", entry)).toEqual(
        image.index.map((point) => [point.baseOffset, point.position, point.maxTimestampBefore]),
      );
      expect(picked(told, "record", ["offset"])).toHaveLength(image.recordCount);
      expect(picked(told, "record", ["key", "value", "headers"])[0]).toEqual([
        "key 102",
        "value",
        [{ key: "trace", value: "on" }],
      ]);
    } else if (key.includes("/journal/")) {
      const seq = Number(key.slice(-20));
      expect([...picked(told, "object", ["seq"]), ...picked(told, "fence", ["seq"])]).toEqual([
        [seq],
      ]);
    } else {
      const { incarnation, lines: slots, number } = readCheckpoint(bytes);
      expect(picked(told, "checkpoint", ["incarnation", "number"])).toEqual([
        [incarnation, number],
      ]);
      expect(picked(told, "slot", ["slot", "checkpoint", "position", "bytes"])).toEqual(
        slots.map((line) => [line.slot, line.checkpoint, line.position, line.bytes]),
      );
    }
  }
});

type Change = (bytes: Buffer) => Buffer;

function flip(at: number): Change {
  return (bytes) => {
    bytes.writeUInt8(bytes.readUInt8(at) ^ 0x40, at);
    return bytes;
  };
}

function cutOff(count: number): Change {
  return (bytes) => bytes.subarray(0, bytes.length - count);
}

describe("of a damaged copy it says at which byte the damage begins:", () => {
  let directory: string;
  /** What a fixture has, by kind. */
  let partition: string;
  let journal: string;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "millrace-log-dump-"));
    const killed = fixtures().find(({ expected }) => expected.end === "SIGKILL");
    if (killed === undefined) throw new Error("no directory of a killed broker");
    await withCopy(killed, async (from) => {
      cpSync(from, join(directory, "whole"), { recursive: true });
    });
    const folders = partitionFolders(join(directory, "whole"));
    const large = folders.toSorted((a, b) => lengthOf(b) - lengthOf(a))[0];
    partition = join(directory, "whole/partitions", large?.name ?? "");
    const found = filesBelow(join(directory, "whole/journal")).find((path) => {
      return readJournalFile(readFileSync(path)).length > 2;
    });
    journal = found ?? "";
  });

  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  function lengthOf({ files }: { readonly files: ReadonlyMap<string, Uint8Array> }): number {
    return Math.max(
      ...[...files].map(([name, bytes]) => (name.endsWith(".log") ? bytes.length : 0)),
    );
  }

  /**
   * Dumps copies of the file, one for each change, with those beside it where they are. Returns where
   * the damage begins in each, and what it is.
   */
  function damages(path: string, ...changes: readonly Change[]): readonly unknown[] {
    const copies = changes.map((change) => {
      const folder = mkdtempSync(join(directory, "copy-"));
      // The last three folders of its path: an object is known by its key.
      const copy = join(folder, path.split("/").slice(-4, -1).join("/"), basename(path));
      mkdirSync(dirname(copy), { recursive: true });
      cpSync(dirname(path), dirname(copy), { recursive: true });
      writeFileSync(copy, change(readFileSync(path)));
      return copy;
    });
    const dumped = run("log", "dump", ...copies, ...all);
    expect([dumped.status, dumped.stderr]).toEqual([1, ""]);
    const lines = linesOf(dumped);
    return copies.map((copy) => {
      const end = lines.get(copy)?.at(-1);
      expect(end?.["what"]).toBe("damaged");
      return [end?.["damagedFrom"], end?.["why"]];
    });
  }

  test("a segment's batch with a changed byte, and one that is cut off", () => {
    const path = filesBelow(partition).find((name) => name.endsWith(".log")) ?? "";
    const batches = readSegment(readFileSync(path));
    const [third, last] = [batches[2], batches.at(-1)];
    if (third === undefined || last === undefined) throw new Error("too few batches");
    const torn = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc(30)]);
    expect(damages(path, flip(third.position + 70), cutOff(1), torn)).toEqual([
      [third.position, "bad-crc"],
      [last.position, "truncated"],
      [last.position + last.bytes, "truncated"],
    ]);
  });

  test("an index entry that points at no batch, and a time entry whose CRC fails", () => {
    const segment = filesBelow(partition).find((name) => name.endsWith(".log")) ?? "";
    const disk = new MemoryDisk();
    disk.makeDirectory("p");
    const index = SegmentIndex.empty({ disk, directory: "p", baseOffset: 0, crc32c });
    for (const batch of readSegment(readFileSync(segment)).slice(0, 4)) {
      const before = { maxTimestampBefore: 5, maxTimestampBatchOffset: -1 };
      index.add({ baseOffset: batch.baseOffset, position: batch.position, ...before });
    }
    index.flush();
    const folder = join(directory, "indexed/a/b");
    const name = "0".repeat(20);
    mkdirSync(folder, { recursive: true });
    cpSync(segment, join(folder, `${name}.log`));
    for (const kind of ["index", "timeindex"]) {
      writeFileSync(join(folder, `${name}.${kind}`), disk.bytesOf(`p/${name}.${kind}`));
    }
    const paths = [join(folder, `${name}.index`), join(folder, `${name}.timeindex`)] as const;
    const sound = run("log", "dump", ...paths, ...all);
    expect(sound.status).toBe(0);
    expect(picked(linesOf(sound).get(paths[1]), "entry", ["maxTimestampBefore"])).toHaveLength(4);
    const nowhere = "no-batch-of-that-offset-where-it-points";
    expect(damages(paths[0], flip(16 + 2 * 8 + 7), flip(0))).toEqual([
      [32, nowhere],
      [0, "no-header-of-a-known-version"],
    ]);
    expect(damages(paths[1], flip(16 + 2 * 16 + 3), cutOff(1))).toEqual([
      [48, "bad-crc"],
      [64, "truncated"],
    ]);
  });

  test("a snapshot and leader epochs, each under one CRC", () => {
    const snapshots = filesBelow(join(directory, "whole/partitions"));
    const snapshot = snapshots.find((name) => name.endsWith(".snapshot")) ?? "";
    expect(damages(snapshot, flip(21))).toEqual([[0, "bad-header-or-crc"]]);
    const epochs = join(partition, "leader-epochs");
    expect(damages(epochs, flip(17))).toEqual([[0, "bad-header-length-or-crc"]]);
  });

  test("a journal's object that is changed, and one that is gone though another follows", () => {
    const objects = readJournalFile(readFileSync(journal));
    const starts = objectStarts(readFileSync(journal));
    expect(starts).toHaveLength(objects.length);
    const [, second = 0] = starts;
    const gone = (bytes: Buffer): Buffer => bytes.fill(0, second, second + 4096);
    expect(damages(journal, flip(second + 90), flip(second + 20), gone)).toEqual([
      [second, "object-damaged"],
      [second, "object-header-damaged"],
      [second, expect.stringMatching(/^object \d+ is missing, and \d+ lies at \d+$/u)],
    ]);
  });

  test("an image's batch, its tail, its footer, and an image that is cut off", () => {
    const [key] = [...bucketFiles().keys()].filter((name) => name.includes("/data/"));
    const path = join(bucketDirectory, key ?? "");
    const bytes = readFileSync(path);
    const { batches, batchesBytes } = readImage(bytes);
    const second = batches[1]?.position ?? 0;
    const footerAt = bytes.length - 112;
    const last = batches.at(-1)?.position ?? 0;
    const withoutFirst = (whole: Buffer): Buffer => whole.subarray(second);
    // The leader epoch, at 12, lies outside the batch's own CRC.
    const changes = [
      ...[flip(second + 200), flip(last + 14), flip(batchesBytes + 5), flip(footerAt + 30)],
      ...[flip(bytes.length - 1), cutOff(50), withoutFirst],
    ];
    expect(damages(path, ...changes)).toEqual([
      [second, "bad-crc"],
      [0, "bad-crc-of-the-batches"],
      [batchesBytes, "sectionsDamaged"],
      [footerAt, "footerDamaged"],
      [footerAt, "notAnObject"],
      [footerAt - 50, "notAnObject"],
      [footerAt - second, "otherLength"],
    ]);
  });

  test("a checkpoint's image, its section, its index and its footer", () => {
    const [key] = [...bucketFiles().keys()].filter((name) => name.includes("/checkpoint/"));
    const path = join(bucketDirectory, key ?? "");
    const bytes = readFileSync(path);
    const { imagesBytes, lines, sectionsBytes } = readCheckpoint(bytes);
    const section = lines[1]?.position ?? 0;
    const footerAt = bytes.length - 112;
    const indexAt = imagesBytes + sectionsBytes;
    const changes = [flip(80), flip(section + 30), flip(indexAt + 40), flip(footerAt + 50)];
    expect(damages(path, ...changes)).toEqual([
      [0, "bad-crc"],
      [section, `section of slot ${lines[1]?.slot}: damaged`],
      [indexAt, "sectionsDamaged"],
      [footerAt, "footerDamaged"],
    ]);
  });
});

/** Where the objects of a journal file begin. */
function objectStarts(bytes: Buffer): readonly number[] {
  const starts: number[] = [];
  for (let at = 0; bytes.subarray(at, at + 4).toString("latin1") === "MLRJ"; ) {
    starts.push(at);
    const length = 80 + bytes.readUInt32BE(at + 64) + 56 * bytes.readUInt32BE(at + 68) + 16;
    at += Math.ceil(length / 4096) * 4096;
  }
  return starts;
}

describe("the command line", () => {
  test("tells a mistake from a damage by its exit code", () => {
    const mistakes = [["log"], ["log", "dump"], ["log", "dump", "--limit", "x", "f"], ["no"]];
    for (const args of mistakes) expect(run(...args).status).toBe(2);
    for (const args of [[], ["--help"], ["log", "dump", "--help"]]) {
      expect(run(...args)).toMatchObject({ status: 0, stderr: "" });
    }
  });

  test("goes on after a file that can't be read", () => {
    const [key] = bucketFiles().keys();
    const sound = join(bucketDirectory, key ?? "");
    const { status, stdout } = run("log", "dump", join(bucketDirectory, "none"), sound);
    expect(status).toBe(1);
    expect(stdout).toMatch(/ENOENT[\s\S]*\n {2}sound /u);
  });
});
