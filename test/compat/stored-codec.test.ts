import { expect, test } from "vitest";
import { readBatches } from "./stored-codec.ts";

function batch(fields: { baseOffset: number; count: number; attributes: number }): Buffer {
  const bytes = Buffer.alloc(61 + 5);
  bytes.writeBigInt64BE(BigInt(fields.baseOffset), 0);
  bytes.writeInt32BE(bytes.length - 12, 8);
  bytes.writeInt8(2, 16);
  bytes.writeInt16BE(fields.attributes, 21);
  bytes.writeInt32BE(fields.count - 1, 23);
  bytes.writeInt32BE(fields.count, 57);
  return bytes;
}

test("each stored batch is read with its codec, its timestamp type and its offsets", () => {
  const set = Buffer.concat([
    batch({ baseOffset: 0, count: 3, attributes: 4 }),
    batch({ baseOffset: 3, count: 2, attributes: 8 | 2 }),
  ]);
  expect(readBatches(set)).toEqual([
    {
      baseOffset: 0,
      lastOffset: 2,
      magic: 2,
      codec: "zstd",
      timestampType: "CreateTime",
      recordCount: 3,
    },
    {
      baseOffset: 3,
      lastOffset: 4,
      magic: 2,
      codec: "snappy",
      timestampType: "LogAppendTime",
      recordCount: 2,
    },
  ]);
});

test("a batch that was cut is left out, and an unknown codec has no known name", () => {
  const whole = batch({ baseOffset: 0, count: 1, attributes: 5 });
  const set = Buffer.concat([
    whole,
    batch({ baseOffset: 1, count: 1, attributes: 0 }).subarray(0, 64),
  ]);
  expect(readBatches(set).map(({ codec }) => codec)).toEqual(["unknown-5"]);
});
