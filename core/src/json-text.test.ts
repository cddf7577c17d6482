import fc from "fast-check";
import { expect, it } from "vitest";
import { jsonTextBytes } from "./json-text.ts";

it("counts a text's bytes as JSON and UTF-8 have them", () => {
  const units = fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 30 });
  const small = fc.array(fc.integer({ min: 0, max: 0x80 }), { maxLength: 30 });
  fc.assert(
    fc.property(fc.oneof(units, small), fc.string({ unit: "binary" }), (some, text) => {
      for (const one of [String.fromCharCode(...some), text]) {
        expect(jsonTextBytes(one)).toBe(Buffer.byteLength(JSON.stringify(one)) - 2);
      }
    }),
  );
});
