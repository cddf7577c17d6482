import { compatibilityPartitioner } from "@platformatic/kafka";
import fc from "fast-check";
import { expect, test } from "vitest";
import { positiveMurmur2 } from "./murmur2.ts";

test.for([
  ["21", -973_932_308],
  ["foobar", -790_332_482],
  ["a-little-bit-long-string", -985_981_536],
  ["a-little-bit-longer-string", -1_486_304_829],
  ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971],
  ["abc", 479_470_107],
] as const)("hashes %j as Java's client does", ([text, hash]) => {
  expect(positiveMurmur2(Buffer.from(text))).toBe(hash & 0x7fffffff);
});

test("places every key where the transport's compatible partitioner places it", () => {
  const property = fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
    const key = Buffer.from(bytes);
    expect(positiveMurmur2(key)).toBe(compatibilityPartitioner({ topic: "", value: key }, key));
  });
  fc.assert(property, { seed: 7, numRuns: 500 });
});
