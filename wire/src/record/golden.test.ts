import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { jsCodecs } from "../compression/js-codecs.ts";
import { crc32c } from "../crc32c.ts";
import { readBatchHeader } from "./batch.ts";
import { buildBatch, type NewRecord } from "./batch-builder.ts";
import { buildEndTransactionMarker, readEndTransactionMarker } from "./control-record.ts";
import { type ReadRecord, readRecords } from "./records.ts";
import { validateBatch } from "./validate-batch.ts";
import { validateRecords } from "./validate-records.ts";

/** Batches that Java's client wrote; wire/golden/records/README.md says how. */

const rules = { codecs: jsCodecs, decompressedBytesMax: 1_048_576 };
const baseTime = 1_700_000_000_000;
const baseOffset = 5_000_000_000;
const producerId = 4_294_967_301;
const appendTime = 1_700_000_123_456;

function golden(name: string): Uint8Array {
  return readFileSync(new URL(`../../golden/records/${name}.bin`, import.meta.url));
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

const mixed: readonly NewRecord[] = [
  { timestamp: baseTime, key: utf8("key"), value: utf8("value") },
  { timestamp: baseTime + 5_000, key: null, value: utf8("no key") },
  { timestamp: baseTime - 86_400_000, key: utf8("tombstone"), value: null },
  { timestamp: baseTime, key: new Uint8Array(0), value: new Uint8Array(0) },
  { timestamp: baseTime + 10_000_000_000, key: null, value: null },
  {
    timestamp: baseTime,
    key: utf8("ключ"),
    value: utf8("значение"),
    headers: [
      { key: "trace", value: utf8("a") },
      { key: "trace", value: utf8("b") },
      { key: "null", value: null },
      { key: "", value: new Uint8Array(0) },
      { key: "grüße-日本-🚀", value: Uint8Array.of(0, 0xff, 127, 128) },
    ],
  },
];

function noise(): Uint8Array {
  const bytes = new Uint8Array(40_000);
  let state = 1;
  for (let index = 0; index < bytes.length; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

function recordsOf(bytes: Uint8Array): readonly ReadRecord[] {
  const read = readRecords(bytes, 0, rules);
  if (read.kind === "fault") throw new Error(read.fault);
  return read.records;
}

/** Plain arrays, so that the comparison does not depend on which class of view holds the bytes. */
function plain(records: readonly ReadRecord[]): unknown {
  const list = (bytes: Uint8Array | null) => (bytes === null ? null : [...bytes]);
  return records.map(({ offset, timestamp, key, value, headers }) => ({
    offset,
    timestamp,
    key: list(key),
    value: list(value),
    headers: headers.map((header) => ({ key: header.key, value: list(header.value) })),
  }));
}

function expected(records: readonly NewRecord[]): unknown {
  return plain(
    records.map(({ timestamp = -1, key, value, headers = [] }, index) => ({
      offset: baseOffset + index,
      timestamp,
      key,
      value,
      headers,
    })),
  );
}

function check(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return validateBatch(bytes, view, 0, { crc32c, origin: "log" });
}

it.each(["mixed-none", "mixed-snappy", "mixed-lz4"])("reads Java's %s batch", (name) => {
  const bytes = golden(name);
  expect(check(bytes)).toBe("ok");
  expect(plain(recordsOf(bytes))).toEqual(expected(mixed));
  expect(validateRecords(bytes, 0, { ...rules, requireKeys: false })).toMatchObject({
    kind: "ok",
    maxTimestamp: baseTime + 10_000_000_000,
  });
});

it.each(["repetitive-snappy", "repetitive-lz4"])("reads Java's %s batch of many blocks", (name) => {
  const bytes = golden(name);
  expect(check(bytes)).toBe("ok");
  const records = Array.from({ length: 500 }, (_, index) => ({
    timestamp: baseTime + index,
    key: utf8(`key-${index % 7}`),
    value: utf8(`record ${index} of the repetitive case; `.repeat(10)),
  }));
  expect(plain(recordsOf(bytes))).toEqual(expected(records));
});

it.each(["noise-snappy", "noise-lz4"])("reads Java's %s batch, stored as it was", (name) => {
  const bytes = golden(name);
  expect(check(bytes)).toBe("ok");
  const records = [{ timestamp: baseTime, key: null, value: noise() }];
  expect(plain(recordsOf(bytes))).toEqual(expected(records));
});

it.each(["mixed-gzip", "mixed-zstd"])("names the missing codec of Java's %s batch", (name) => {
  const bytes = golden(name);
  expect(check(bytes)).toBe("ok");
  const outcome = { kind: "fault", fault: "unsupported-compression" };
  expect(readRecords(bytes, 0, rules)).toMatchObject(outcome);
  expect(validateRecords(bytes, 0, { ...rules, requireKeys: false })).toEqual(outcome);
});

it("reads the producer's fields of Java's idempotent and transactional batches", () => {
  const shared = { baseOffset, producerId, producerEpoch: 7, partitionLeaderEpoch: 11, magic: 2 };
  expect(readBatchHeader(golden("idempotent"), 0)).toMatchObject({
    ...shared,
    baseSequence: 2_147_483_645,
    isTransactional: false,
    isControl: false,
    recordCount: 6,
    lastOffsetDelta: 5,
    baseTimestamp: baseTime,
    maxTimestamp: baseTime + 10_000_000_000,
    timestampType: "CreateTime",
  });
  expect(readBatchHeader(golden("transactional"), 0)).toMatchObject({
    ...shared,
    baseSequence: 42,
    isTransactional: true,
    isControl: false,
    compressionId: 4,
  });
});

it("gives every record of Java's LogAppendTime batch the time of the append", () => {
  const bytes = golden("log-append-time");
  expect(check(bytes)).toBe("ok");
  expect(readBatchHeader(bytes, 0).timestampType).toBe("LogAppendTime");
  expect(new Set(recordsOf(bytes).map(({ timestamp }) => timestamp))).toEqual(
    new Set([appendTime]),
  );
});

it("builds the very bytes that Java's client builds from the same records", () => {
  const fields = { crc32c, baseOffset, partitionLeaderEpoch: 11 };
  expect([...buildBatch(mixed, fields)]).toEqual([...golden("mixed-none")]);
  const producer = { producerId, producerEpoch: 7, baseSequence: 2_147_483_645 };
  expect([...buildBatch(mixed, { ...fields, ...producer })]).toEqual([...golden("idempotent")]);
});

it.each(["commit", "abort"] as const)("reads and builds Java's %s marker", (result) => {
  const bytes = golden(`marker-${result}`);
  expect(check(bytes)).toBe("ok");
  expect(readBatchHeader(bytes, 0)).toMatchObject({ isControl: true, isTransactional: true });
  const [record] = recordsOf(bytes);
  const marker = readEndTransactionMarker(record?.key ?? null, record?.value ?? null);
  expect(marker).toEqual({ result, coordinatorEpoch: 29 });
  const built = buildEndTransactionMarker({
    crc32c,
    result,
    coordinatorEpoch: 29,
    baseOffset,
    partitionLeaderEpoch: 11,
    producerId,
    producerEpoch: 7,
    timestamp: appendTime,
  });
  expect([...built]).toEqual([...bytes]);
});
