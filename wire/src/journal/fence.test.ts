import { incarnationId } from "@millrace/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc32c } from "../crc32c.ts";
import { decodeJournalHeader, isOfIncarnation } from "./decode-object.ts";
import { encodeJournalObject } from "./encode-object.ts";
import { decodeFence, encodeFence } from "./fence.ts";
import { FENCE_CRC_AT, FORMAT_VERSION_AT } from "./layout.ts";

const incarnation = incarnationId(`42-${"0123456789abcdef".repeat(2)}`);
const nonce = new Uint8Array(16).fill(9);

function fence(seq = 7): Uint8Array {
  return encodeFence({ incarnation, seq, nonce, wallMs: 1234 }, crc32c);
}

describe("a fence", () => {
  it("comes back as it was written, and names whose journal it ends", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (seq) => {
        const decoded = decodeFence(fence(seq), crc32c);
        if (decoded.kind === "invalid") throw new Error(decoded.reason);
        expect(decoded.fence).toEqual({ incarnation, seq, nonce, wallMs: 1234 });
        expect(isOfIncarnation(decoded.fence, incarnation)).toBe(true);
        const other = incarnationId(`43-${"0123456789abcdef".repeat(2)}`);
        expect(isOfIncarnation(decoded.fence, other)).toBe(false);
      }),
    );
  });

  it("is never taken for a journal object, nor one for a fence", () => {
    const padded = new Uint8Array(200);
    padded.set(fence());
    expect(decodeJournalHeader(padded, crc32c)).toEqual({
      kind: "invalid",
      reason: "notAnObject",
    });
    const draft = { incarnation, seq: 7, nonce, wallMs: 1234, entries: [] };
    const [header = new Uint8Array()] = encodeJournalObject(draft, crc32c).parts;
    expect(decodeFence(header, crc32c)).toEqual({ kind: "invalid", reason: "notAFence" });
  });

  it("is refused after any change of any one byte, and when it is cut off anywhere", () => {
    for (let at = 0; at < fence().length; at++) {
      const bytes = fence();
      bytes[at] = (bytes[at] ?? 0) ^ 0x40;
      expect(decodeFence(bytes, crc32c).kind).toBe("invalid");
      expect(decodeFence(fence().subarray(0, at), crc32c)).toEqual({
        kind: "invalid",
        reason: "short",
      });
    }
  });

  it("of a newer format is told apart from damage", () => {
    const bytes = fence();
    const view = new DataView(bytes.buffer);
    view.setUint16(FORMAT_VERSION_AT, 2);
    view.setUint32(FENCE_CRC_AT, crc32c(bytes.subarray(0, FENCE_CRC_AT)));
    expect(decodeFence(bytes, crc32c)).toEqual({ kind: "invalid", reason: "newerFormat" });
  });

  it("has a nonce of sixteen bytes", () => {
    const draft = { incarnation, seq: 7, nonce: new Uint8Array(15), wallMs: 1 };
    expect(() => encodeFence(draft, crc32c)).toThrow(RangeError);
  });
});
