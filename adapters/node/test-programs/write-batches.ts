import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  buildBatch,
  type Codec,
  lz4Codec,
  type NewRecord,
  readBatchHeader,
  snappyCodec,
} from "@millrace/wire";
import { gzipCodec, loadCodecs, zstdCodec } from "../src/codecs.ts";
import { crc32c } from "../src/crc32c.ts";

/**
 * Writes a batch per codec and per kind of records to the directory that is its argument, and
 * prints for each what ReadBack in wire/golden/records-generator prints of them.
 */

const baseOffset = 5_000_000_000;
const producer = { producerId: 4_294_967_301, producerEpoch: 7, baseSequence: 42 };

const { codecs } = loadCodecs();
const variants: Record<string, Codec | undefined> = {
  none: undefined,
  gzip: gzipCodec,
  zstd: zstdCodec,
  "snappy-js": snappyCodec,
  lz4: lz4Codec,
  ...(codecs.snappy && { "snappy-native": codecs.snappy }),
};

const cases: Record<string, readonly NewRecord[]> = {
  small: [
    { key: null, value: null, timestamp: 1_700_000_000_000 },
    {
      key: Buffer.from("key"),
      value: Buffer.from("value"),
      timestamp: 1_600_000_000_000,
      headers: [
        { key: "grüße-🚀", value: Buffer.from([0, 255]) },
        { key: "null", value: null },
      ],
    },
    { key: Buffer.alloc(0), value: Buffer.alloc(0), timestamp: 1_800_000_000_000 },
  ],
  large: Array.from({ length: 4_000 }, (_, index) => ({
    key: Buffer.from(`key-${index % 13}`),
    value: Buffer.from(`record ${index}; `.repeat(1 + (index % 20))),
    timestamp: 1_700_000_000_000 + index,
  })),
  noise: Array.from({ length: 300 }, (_, index) => ({
    key: null,
    value: Buffer.concat(
      Array.from({ length: 32 }, (_, part) =>
        createHash("sha256").update(`${index}/${part}`).digest(),
      ),
    ),
    timestamp: 1_700_000_000_000,
  })),
};

function hex(bytes: Uint8Array | null): string {
  return bytes === null ? "null" : Buffer.from(bytes).toString("hex");
}

function digestOf(records: readonly NewRecord[]): string {
  const digest = createHash("sha256");
  records.forEach(({ key, value, timestamp, headers = [] }, index) => {
    const parts = [baseOffset + index, timestamp, hex(key), hex(value)];
    const headerParts = headers.map((header) => `${header.key}=${hex(header.value)}`);
    digest.update(`${[...parts, ...headerParts].join("|")}\n`);
  });
  return digest.digest("hex").slice(0, 16);
}

const [directory] = process.argv.slice(2);
if (directory === undefined) throw new Error("usage: write-batches.ts DIR");
mkdirSync(directory, { recursive: true });
const lines: string[] = [];
for (const [caseName, records] of Object.entries(cases)) {
  for (const [variant, codec] of Object.entries(variants)) {
    const fields = { crc32c, baseOffset, ...producer, ...(codec && { codec }) };
    const bytes = buildBatch(records, fields);
    const file = `${caseName}-${variant}.bin`;
    writeFileSync(join(directory, file), bytes);
    const { lastOffsetDelta, maxTimestamp } = readBatchHeader(bytes, 0);
    lines.push(
      `${file} ${codec?.name ?? "none"} offsets=${baseOffset}-${baseOffset + lastOffsetDelta} ` +
        `producer=${producer.producerId}/${producer.producerEpoch}/${producer.baseSequence} ` +
        `max=${maxTimestamp} count=${records.length} sha256=${digestOf(records)}`,
    );
  }
}
process.stdout.write(`${lines.sort().join("\n")}\n`);
