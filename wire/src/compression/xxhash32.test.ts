import { expect, it } from "vitest";
import { xxhash32 } from "./xxhash32.ts";

it.each([
  ["", 0x02cc5d05],
  ["a", 0x550d7456],
  ["abc", 0x32d153ff],
  ["Nobody inspects the spammish repetition", 0xe2293b2f],
])("hashes %j as the reference implementation does", (text, hash) => {
  expect(xxhash32(new TextEncoder().encode(text))).toBe(hash);
});
