import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  buildBatch,
  crc32c,
  encodeFence,
  jsCodecs,
  lz4Codec,
  type NewRecord,
} from "@millrace/wire";
import { incarnationId } from "@millrace/core";
import { afterEach, beforeEach, expect, test } from "vitest";
import { headersShownMax, linesShownDefault, valueBytesShownMax } from "../limits.ts";
import { UsageError } from "../usage-error.ts";
import { dumpFiles } from "./dump-files.ts";
import { readDumpOptions } from "./dump-options.ts";

const text = new TextEncoder();
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-dump-"));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A segment's file, each list of records as one batch. */
function segment(...batches: readonly (readonly NewRecord[])[]): string {
  let baseOffset = 0;
  const built = batches.map((records) => {
    const batch = buildBatch(records, { crc32c, baseOffset });
    baseOffset += records.length;
    return batch;
  });
  return file(`${"0".repeat(20)}.log`, Buffer.concat(built));
}

function file(name: string, bytes: Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, bytes);
  return path;
}

interface Dumped {
  readonly outcome: string;
  readonly lines: readonly string[];
  /** The lines of one kind, as objects. */
  readonly of: (what: string) => readonly Record<string, unknown>[];
}

/** There is no database here. */
const deps = { crc32c, codecs: jsCodecs, storedEntries: () => [] };

function dump(...args: readonly string[]): Dumped {
  const options = readDumpOptions([...args, "--output", "json"]);
  if (options === "help") throw new Error("help");
  const lines: string[] = [];
  const write = (line: string): number => lines.push(line);
  const outcome = dumpFiles(options, { ...deps, write });
  const all = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return { outcome, lines, of: (what) => all.filter((line) => line["what"] === what) };
}

function textOf(...args: readonly string[]): readonly string[] {
  const options = readDumpOptions(args);
  if (options === "help") throw new Error("help");
  const lines: string[] = [];
  dumpFiles(options, { ...deps, write: (line) => lines.push(line) });
  return lines;
}

function recordOf(value: string | Uint8Array | null, key: Uint8Array | null = null): NewRecord {
  const bytes = typeof value === "string" ? text.encode(value) : value;
  return { key, value: bytes, timestamp: 77, headers: [] };
}

test("values are printed as text or in hexadecimal, and no more of them than the limit", () => {
  const long = "ä".repeat(valueBytesShownMax);
  const path = segment([
    recordOf("plain", text.encode("k")),
    recordOf(Uint8Array.of(0xff, 1)),
    recordOf("\u009b31m"),
    recordOf(null),
    recordOf(`a${long}`),
    recordOf(new Uint8Array(valueBytesShownMax + 1)),
  ]);
  const records = dump(path, "--records").of("record");
  expect(records.map(({ file: _file, what: _what, timestamp: _at, ...rest }) => rest)).toEqual([
    { offset: 0, key: "k", value: "plain" },
    { offset: 1, key: null, valueHex: "ff01" },
    { offset: 2, key: null, valueHex: "c29b33316d" },
    { offset: 3, key: null, value: null },
    // A character that the limit would cut in two is left out.
    {
      ...{ offset: 4, key: null, valueBytes: 2 * valueBytesShownMax + 1 },
      value: `a${long.slice(0, valueBytesShownMax / 2 - 1)}`,
    },
    {
      ...{ offset: 5, key: null, valueBytes: valueBytesShownMax + 1 },
      valueHex: "00".repeat(valueBytesShownMax),
    },
  ]);
});

test("of a record's headers as many are printed as the limit says, and how many there are", () => {
  const headers = Array.from({ length: headersShownMax + 1 }, (_, i) => ({
    key: `h${i}`,
    value: null,
  }));
  const path = segment([{ ...recordOf("x"), headers }]);
  const [record] = dump(path, "--records").of("record");
  expect(record?.["headers"]).toHaveLength(headersShownMax);
  expect(record?.["headerCount"]).toBe(headersShownMax + 1);
});

test("as many lines are printed as the default says, and what follows them is still checked", () => {
  const batches = Array.from({ length: linesShownDefault + 5 }, () => [recordOf("x")]);
  const path = segment(...batches);
  const sound = dump(path);
  expect(sound.of("batch")).toHaveLength(linesShownDefault);
  expect(sound.of("sound")[0]).toMatchObject({ batches: linesShownDefault + 5, notShown: 5 });
  const bytes = readFileSync(path);
  bytes[bytes.length - 1] = 0x55;
  writeFileSync(path, bytes);
  const damaged = dump(path, "--limit", "2");
  expect(damaged.outcome).toBe("damaged");
  // The file, two batches, the end.
  expect(damaged.lines).toHaveLength(4);
  const lastAt = (bytes.length / batches.length) * (batches.length - 1);
  expect(damaged.of("damaged")[0]).toMatchObject({ damagedFrom: lastAt, why: "bad-crc" });
});

test("what a record holds forges no line and no field of the text", () => {
  const path = segment([recordOf("a\n  sound value=b\u001b[2J"), recordOf("x y=z")]);
  const lines = textOf(path, "--records");
  expect(lines).toHaveLength(5);
  expect(lines[2]).toContain("valueHex=610a2020736f756e64");
  expect(lines[3]).toContain('value="x y=z"');
  expect(lines.every((line) => !line.includes("\n") && !line.includes("\u001b"))).toBe(true);
});

test("batches that do not follow one another are damaged, though each is whole", () => {
  const batch = (baseOffset: number, partitionLeaderEpoch: number): Uint8Array =>
    buildBatch([recordOf("x")], { crc32c, baseOffset, partitionLeaderEpoch });
  const again = file("1.log", Buffer.concat([batch(5, 1), batch(5, 1)]));
  const falling = file("2.log", Buffer.concat([batch(5, 2), batch(6, 1)]));
  const position = batch(5, 1).length;
  expect(dump(again, falling).of("damaged")).toMatchObject([
    { damagedFrom: position, why: "offsets-do-not-ascend" },
    { damagedFrom: position, why: "leader-epoch-falls" },
  ]);
});

test("a batch that can't be opened is damaged where its records are wanted", () => {
  const batch = buildBatch([recordOf("x".repeat(300))], { crc32c, codec: lz4Codec });
  batch.fill(0xff, 61);
  const view = new DataView(batch.buffer, batch.byteOffset);
  view.setUint32(17, crc32c(batch.subarray(21)));
  const path = file("1.log", batch);
  expect(dump(path).outcome).toBe("sound");
  expect(dump(path, "--records").of("damaged")).toMatchObject([
    { damagedFrom: 0, why: "record 0 of the batch: corrupt-compression" },
  ]);
});

test("a file without its name is known by its magic, and any other is none of ours", () => {
  const batch = buildBatch([recordOf("x")], { crc32c });
  const paths = [
    file("records", batch),
    file("other", text.encode("hello, world")),
    file("e", new Uint8Array()),
  ];
  const dumped = dump(...paths);
  expect(dumped.of("file").map(({ kind }) => kind)).toEqual(["segment", "unknown", "unknown"]);
  expect(dumped.of("damaged")).toHaveLength(2);
});

test("an option that is not understood is refused", () => {
  for (const args of [[], ["--limit", "x", "f"], ["--output", "xml", "f"], ["--no-such", "f"]]) {
    expect(() => readDumpOptions(args)).toThrow(UsageError);
  }
  expect(readDumpOptions(["--help"])).toBe("help");
});

test("tells what a fence ends, and that one is damaged", () => {
  const incarnation = incarnationId(`4-${"ab".repeat(16)}`);
  const bytes = encodeFence({ incarnation, seq: 9, nonce: new Uint8Array(16), wallMs: 5 }, crc32c);
  const name = String(9).padStart(20, "0");
  const sound = dump(file(name, bytes));
  expect(sound.outcome).toBe("sound");
  expect(sound.of("fence")).toMatchObject([{ incarnation, seq: 9, wallMs: 5 }]);
  bytes[40] = 1;
  const damaged = dump(file(name, bytes));
  expect([damaged.outcome, damaged.of("fence")]).toEqual(["damaged", []]);
});
