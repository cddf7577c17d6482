import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { uuidFromBase64, uuidFromHex, uuidToBase64, zeroUuid } from "./uuid.ts";

describe("an id's printed form", () => {
  it("is the 22 characters of base64url", () => {
    expect(uuidToBase64(zeroUuid)).toBe("AAAAAAAAAAAAAAAAAAAAAA");
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        const buffer = Buffer.from(bytes);
        const uuid = uuidFromHex(buffer.toString("hex"));
        expect(uuidToBase64(uuid)).toBe(buffer.toString("base64url"));
        expect(uuidFromBase64(buffer.toString("base64url"))).toBe(uuid);
      }),
    );
  });

  it("is refused when it is malformed or stands for other than sixteen bytes", () => {
    const malformed = [
      "",
      "AAAAAAAAAAAAAAAAAAAAA",
      "AAAAAAAAAAAAAAAAAAAAAAA",
      "AAAAAAAAAAAAAAAAAAAAAB",
    ];
    for (const text of [...malformed, "AAAAAAAAAAAAAAAAAAAA+A"]) {
      expect(() => uuidFromBase64(text)).toThrow(RangeError);
    }
    for (const hex of ["", "0".repeat(31), "A".repeat(32), "g".repeat(32)]) {
      expect(() => uuidFromHex(hex)).toThrow(RangeError);
    }
  });
});
