import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { base64Bytes, base64Text, isSameSecret, utf8Bytes, utf8Text } from "./text-bytes.ts";

const bytes = fc.uint8Array({ maxLength: 80 });
const anyText = fc
  .array(fc.oneof(fc.integer({ max: 0xffff, min: 0 }), fc.constantFrom(0xd83d, 0xde00)))
  .map((units) => String.fromCharCode(...units));
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

describe("UTF-8", () => {
  it("of any text is what everybody else writes, and reads back", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const written = utf8Bytes(text);
        expect(written).toEqual(new TextEncoder().encode(text));
        expect(utf8Text(written)).toBe(text.toWellFormed());
      }),
    );
  });

  it("of any bytes is read where everybody else reads it, and refused where they refuse", () => {
    const shaped = fc.array(
      fc.constantFrom(0, 0x41, 0x80, 0xbf, 0xc0, 0xc3, 0xe0, 0xed, 0xf0, 0xf4),
    );
    const either = fc.oneof(
      bytes,
      shaped.map((list) => Uint8Array.from(list)),
    );
    fc.assert(
      fc.property(either, (given) => {
        expect(utf8Text(given)).toBe(strictly(given));
      }),
    );
  });
});

function strictly(given: Uint8Array): string | undefined {
  try {
    return decoder.decode(given);
  } catch {
    return undefined;
  }
}

describe("base64", () => {
  it("of any bytes is what everybody else writes, and reads back", () => {
    fc.assert(
      fc.property(bytes, (given) => {
        const text = base64Text(given);
        expect(text).toBe(Buffer.from(given).toString("base64"));
        expect(base64Bytes(text)).toEqual(given);
      }),
    );
  });

  it.each(["a", "ab", "abc", "a===", "ab=c", "ab c", "ab==cd==", "aGk*"])("is not %j", (text) => {
    expect(base64Bytes(text)).toBeUndefined();
  });
});

it("a long text is read and written like a short one, and takes no more of the stack", () => {
  const text = "aé€😀".repeat(300_000);
  const written = utf8Bytes(text);
  expect(Buffer.from(written).equals(Buffer.from(text))).toBe(true);
  expect(utf8Text(written) === text).toBe(true);
  const base64 = "AAAA".repeat(4_000_000);
  expect(base64Bytes(base64)?.length).toBe(12_000_000);
  expect(base64Bytes(`${base64}!`)).toBeUndefined();
});

it("secrets are the same when every byte is", () => {
  fc.assert(
    fc.property(bytes, bytes, (left, right) => {
      expect(isSameSecret(left, left.slice())).toBe(true);
      expect(isSameSecret(left, right)).toBe(Buffer.from(left).equals(right));
    }),
  );
});
