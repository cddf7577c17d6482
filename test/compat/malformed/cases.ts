/**
 * Produce requests that no client sends: a batch whose length and CRC are right and whose records
 * are not, or say what a topic does not take. Each is named after what is wrong with it.
 */
import {
  type BatchFields,
  type CodecName,
  record,
  type RecordFields,
  varint,
} from "./batch-bytes.ts";

export interface Case {
  readonly name: string;
  /** All codecs of its suite where it is left out. */
  readonly codecs?: readonly CodecName[];
  readonly batch: Omit<BatchFields, "codec" | "baseTimestamp"> & { readonly ageMs?: number };
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const endlessVarint = Buffer.alloc(11, 0xff);

/** Three records, of which the second is as told. */
function second(fields: RecordFields): Case["batch"] {
  return { records: [record(0), record(1, fields), record(2)] };
}

function offsets(...deltas: readonly number[]): Case["batch"] {
  return { records: deltas.map((offsetDelta, index) => record(index, { offsetDelta })) };
}

function sound(count = 3): readonly Buffer[] {
  return Array.from({ length: count }, (_, index) => record(index));
}

function named(cases: Readonly<Record<string, Case["batch"]>>): readonly Case[] {
  return Object.entries(cases).map(([name, batch]) => ({ name, batch }));
}

const lengths: readonly Case[] = named({
  sound: { records: sound() },
  "length/one-more": second({ lengthBy: 1 }),
  "length/one-less": second({ lengthBy: -1 }),
  "length/past-the-batch": { records: [record(0), record(1, { lengthBy: 1 })] },
  "length/zero": second({ length: varint(0) }),
  "length/negative": second({ length: varint(-1) }),
  "length/int32-max": second({ length: varint(0x7fffffff) }),
  "length/endless": second({ length: endlessVarint }),
  "length/longer-than-needed": second({ length: Buffer.from([0xa4, 0x80, 0x00]) }),
  "length/a-byte-after-the-fields": second({ tail: Buffer.from([0]) }),
  "count/one-more": { records: sound(), count: 4 },
  "count/one-less": { records: sound(), count: 2 },
  "count/a-hundred": { records: sound(), count: 100 },
  "count/int32-max": { records: sound(), count: 0x7fffffff },
  "count/no-bytes": { records: [], count: 1, maxTimestamp: -1 },
  "tail/a-byte": { records: [...sound(), Buffer.from([0])], count: 3 },
  "tail/zeros": { records: [...sound(), Buffer.alloc(100)], count: 3 },
});

const fields: readonly Case[] = named({
  "offsets/gap": offsets(0, 2, 3),
  "offsets/twice": offsets(0, 1, 1),
  "offsets/from-one": offsets(1, 2, 3),
  "offsets/backwards": offsets(2, 1, 0),
  "attributes/set": second({ attributes: 0xff }),
  "timestamp/endless": second({ timestampDelta: endlessVarint }),
  "timestamp/int64-max": {
    ...second({ timestampDelta: varint(0x7fffffffffffffffn) }),
    ageMs: 1000,
  },
  "timestamp/past-2-to-53": second({ timestampDelta: varint(-(1n << 54n)) }),
  "key/null": second({ keyLength: -1, key: "" }),
  "key/minus-two": second({ keyLength: -2, key: "" }),
  "key/past-the-record": second({ keyLength: 100 }),
  "key/past-the-batch": second({ keyLength: 1_000_000 }),
  "key/one-more": second({ keyLength: 6 }),
  "value/null": second({ valueLength: -1, value: "" }),
  "value/minus-two": second({ valueLength: -2, value: "" }),
  "value/past-the-record": second({ valueLength: 100 }),
  "value/one-more": second({ valueLength: 8 }),
  "value/one-less": second({ valueLength: 6 }),
  "headers/negative-count": second({ headerCount: varint(-1) }),
  "headers/one-more": second({ headerCount: varint(2), headers: [{}] }),
  "headers/one-less": second({ headerCount: varint(1), headers: [{}, {}] }),
  "headers/int32-max": second({ headerCount: varint(0x7fffffff) }),
  "headers/null-key": second({ headers: [{ keyLength: -1, key: "" }] }),
  "headers/key-minus-two": second({ headers: [{ keyLength: -2, key: "" }] }),
  "headers/key-past-the-record": second({ headers: [{ keyLength: 100 }] }),
  "headers/null-value": second({ headers: [{ valueLength: -1, value: "" }] }),
  "headers/value-minus-two": second({ headers: [{ valueLength: -2, value: "" }] }),
  "headers/value-past-the-record": second({ headers: [{ valueLength: 100 }] }),
});

const times: readonly Case[] = named({
  "time/max-too-small": { records: sound(), ageMs: 1000, maxTimestamp: 5 },
  "time/max-too-large": { records: sound(), ageMs: 1000, maxTimestamp: 9_007_199_254_740_991 },
  "time/max-none": { records: sound(), maxTimestamp: -1 },
  "time/record-in-two-hours": second({ timestampDelta: varint(2 * HOUR_MS) }),
  "time/all-in-two-hours": { records: sound(), ageMs: -2 * HOUR_MS },
  "time/record-hidden-by-max": {
    ...second({ timestampDelta: varint(2 * HOUR_MS) }),
    ageMs: 1000,
    maxTimestamp: 5,
  },
  "time/two-days-ago": { records: sound(), ageMs: 2 * DAY_MS },
  "time/record-two-days-ago": second({ timestampDelta: varint(-2 * DAY_MS) }),
  "time/record-negative": { records: [record(0), record(1, { timestampDelta: varint(-1e13) })] },
  "time/append-time-bit": { records: sound(), attributes: 8 },
});

/** For topics without a codec of their own, in every codec. */
export const recordCases: readonly Case[] = [...lengths, ...fields, ...times];

/** For topics with a setting that records are held to. */
export const settingCases: readonly Case[] = [
  ...named({
    sound: { records: sound() },
    "keys/none": {
      records: [0, 1, 2].map((index) => record(index, { keyLength: -1, key: "" })),
    },
    "keys/of-the-last-missing": {
      records: [record(0), record(1), record(2, { keyLength: -1, key: "" })],
    },
    "keys/missing-before-a-bad-length": {
      records: [record(0, { keyLength: -1, key: "" }), record(1, { valueLength: 100 })],
    },
    "keys/missing-and-in-two-hours": {
      records: [record(0, { keyLength: -1, key: "", timestampDelta: varint(2 * HOUR_MS) })],
    },
    "keys/missing-and-another-in-two-hours": {
      records: [
        record(0, { keyLength: -1, key: "" }),
        record(1, { timestampDelta: varint(2 * HOUR_MS) }),
      ],
    },
    "keys/empty": { records: [record(0, { key: "" })] },
  }),
  ...lengths.filter(({ name }) => name === "count/one-more" || name === "tail/a-byte"),
  ...fields.filter(({ name }) => name === "value/one-more"),
  ...times,
];

const MIB = 1_048_576;

function withMiddleBroken(body: Buffer): Buffer {
  const broken = Buffer.from(body);
  const at = broken.length >> 1;
  return broken.fill(0xff, at, at + 8);
}

/** For every codec: a body that is not what its codec writes, or that grows beyond measure. */
export const streamCases: readonly Case[] = [
  ...named({
    "stream/random": { records: sound(), breakBody: () => Buffer.alloc(200, 0x5a) },
    "stream/empty": { records: sound(), breakBody: () => Buffer.alloc(0) },
    "stream/cut": {
      records: sound(200),
      breakBody: (body) => body.subarray(0, body.length >> 1),
    },
    "stream/middle-broken": { records: sound(200), breakBody: withMiddleBroken },
    "stream/last-byte-cut": { records: sound(200), breakBody: (body) => body.subarray(0, -1) },
    "stream/a-byte-after-it": {
      records: sound(200),
      breakBody: (body) => Buffer.concat([body, Buffer.from([0])]),
    },
    "stream/twice": { records: sound(), breakBody: (body) => Buffer.concat([body, body]) },
    "stream/not-compressed": { records: sound(), breakBody: () => Buffer.concat(sound()) },
    "bomb/of-one-record": { records: [record(0, { value: Buffer.alloc(16 * MIB) })] },
  }),
  // As snappy it would be more than a batch may have.
  {
    name: "bomb/of-zeros",
    codecs: ["gzip", "lz4", "zstd"],
    batch: { records: [Buffer.alloc(100 * MIB)] },
  },
];

/** For topics whose codec makes the broker compress anew. */
export const reencodedCases: readonly Case[] = [
  ...settingCases.filter(({ name }) => !name.startsWith("time/max")),
  ...fields.filter(({ name }) => name === "offsets/gap"),
  ...streamCases.filter(({ name }) => /random|cut|zeros/.test(name)).map(onlyCompressed),
];

function onlyCompressed(each: Case): Case {
  return { codecs: ["gzip", "snappy", "lz4"], ...each };
}
