import { crc32c as jsCrc32c } from "@millrace/wire";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { crc32c } from "./crc32c.ts";

it("gives the check value of the CRC catalogue", () => {
  expect(crc32c(new TextEncoder().encode("123456789"))).toBe(0xe3069283);
});

it("agrees with the JavaScript implementation on both sides of the native threshold", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600, size: "max" }), fc.nat(600), (bytes, cut) => {
      expect(crc32c(bytes)).toBe(jsCrc32c(bytes));
      const head = bytes.subarray(0, cut);
      const tail = bytes.subarray(cut);
      expect(crc32c(tail, crc32c(head))).toBe(jsCrc32c(bytes));
    }),
  );
});

it("computes the native CRC over the view alone, not the memory around it", () => {
  const around = new Uint8Array(1_000).fill(7);
  const view = around.subarray(100, 900);
  expect(crc32c(view)).toBe(jsCrc32c(new Uint8Array(800).fill(7)));
});
