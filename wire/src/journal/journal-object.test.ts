import { epoch, incarnationId, slot, topicId } from "@millrace/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc32c } from "../crc32c.ts";
import { decodeJournalHeader, decodeJournalObject, isOfIncarnation } from "./decode-object.ts";
import { encodeJournalObject, journalObjectBytes } from "./encode-object.ts";
import type { JournalEntryDraft } from "./entry.ts";
import { FORMAT_VERSION_AT, HEADER_BYTES, HEADER_CRC_AT } from "./layout.ts";

const incarnation = incarnationId(`42-${"0123456789abcdef".repeat(2)}`);

const draftEntry: fc.Arbitrary<JournalEntryDraft> = fc
  .record({
    kind: fc.constantFrom("records" as const, "localFrom" as const, "journalFrom" as const),
    topic: fc.stringMatching(/^[0-9a-f]{31}$/),
    partition: fc.nat(),
    slot: fc.nat(1023),
    epoch: fc.nat(),
    baseOffset: fc.maxSafeNat(),
    span: fc.nat(1000),
    parts: fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 3 }),
  })
  .map((raw) => ({
    kind: raw.kind,
    topicId: topicId(`${raw.topic}1`),
    partition: raw.partition,
    slot: slot(raw.slot),
    epoch: epoch(raw.epoch),
    baseOffset: raw.baseOffset,
    lastOffset: Math.min(raw.baseOffset + raw.span, Number.MAX_SAFE_INTEGER),
    parts: raw.parts,
  }));

function encode(entries: readonly JournalEntryDraft[], seq = 7, nonceByte = 3): Uint8Array {
  const nonce = new Uint8Array(16).fill(nonceByte);
  const object = encodeJournalObject({ incarnation, seq, nonce, wallMs: 1234, entries }, crc32c);
  const bytes = join(object.parts);
  expect(bytes.length).toBe(object.bytes);
  return bytes;
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

describe("a journal object", () => {
  it("comes back as it was written, entry for entry and byte for byte", () => {
    fc.assert(
      fc.property(fc.array(draftEntry, { maxLength: 6 }), fc.maxSafeNat(), (entries, seq) => {
        const bytes = encode(entries, seq);
        const decoded = decodeJournalObject(bytes, crc32c);
        if (decoded.kind === "invalid") throw new Error(decoded.reason);
        const { header } = decoded.object;
        expect(header.seq).toBe(seq);
        expect(header.wallMs).toBe(1234);
        expect(isOfIncarnation(header, incarnation)).toBe(true);
        expect(header.objectBytes).toBe(bytes.length);
        expect(decoded.object.entries.length).toBe(entries.length);
        decoded.object.entries.forEach((entry, i) => {
          const { parts, ...fields } = entries[i] as JournalEntryDraft;
          const { position, length, ...found } = entry;
          expect(found).toEqual(fields);
          expect(bytes.subarray(position, position + length)).toEqual(join(parts));
        });
      }),
    );
  });

  it("has the same bytes where the entries' CRCs are known", () => {
    fc.assert(
      fc.property(fc.array(draftEntry, { maxLength: 6 }), (entries) => {
        const known = entries.map((entry) => ({ ...entry, crc: crc32c(join(entry.parts)) }));
        expect(encode(known)).toEqual(encode(entries));
      }),
    );
  });

  it("is refused after any change of any one byte", () => {
    fc.assert(
      fc.property(
        fc.array(draftEntry, { minLength: 1, maxLength: 4 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (entries, where, flip) => {
          const bytes = encode(entries);
          const at = where % bytes.length;
          bytes[at] = (bytes[at] as number) ^ flip;
          expect(decodeJournalObject(bytes, crc32c).kind).toBe("invalid");
        },
      ),
    );
  });

  it("is refused when it is cut off anywhere", () => {
    const bytes = encode(fc.sample(draftEntry, { numRuns: 3, seed: 5 }));
    for (let length = 0; length < bytes.length; length++) {
      expect(decodeJournalObject(bytes.subarray(0, length), crc32c).kind).toBe("invalid");
    }
  });

  it("is refused when header and footer are of two attempts with the same lengths", () => {
    const entries = fc.sample(draftEntry, { numRuns: 2, seed: 9 });
    const first = encode(entries, 7, 1);
    const second = encode(entries, 7, 2);
    first.set(second.subarray(0, HEADER_BYTES));
    const decoded = decodeJournalObject(first, crc32c);
    expect(decoded).toEqual({ kind: "invalid", reason: "objectDamaged" });
  });

  it("of a newer format is told apart from damage", () => {
    const bytes = encode([]);
    const view = new DataView(bytes.buffer);
    view.setUint16(FORMAT_VERSION_AT, 2);
    view.setUint32(HEADER_CRC_AT, crc32c(bytes.subarray(0, HEADER_CRC_AT)));
    expect(decodeJournalHeader(bytes, crc32c)).toEqual({ kind: "invalid", reason: "newerFormat" });
  });

  it("is no object where zeros or foreign bytes lie, and knows its own incarnation", () => {
    const zeros = decodeJournalHeader(new Uint8Array(4096), crc32c);
    expect(zeros).toEqual({ kind: "invalid", reason: "notAnObject" });
    const decoded = decodeJournalHeader(encode([]), crc32c);
    if (decoded.kind === "invalid") throw new Error(decoded.reason);
    const other = incarnationId(`43-${"0123456789abcdef".repeat(2)}`);
    expect(isOfIncarnation(decoded.header, other)).toBe(false);
  });

  it("says beforehand how long it will be", () => {
    const entries = fc.sample(draftEntry, { numRuns: 4, seed: 1 });
    const body = entries.reduce((sum, entry) => sum + join(entry.parts).length, 0);
    expect(encode(entries).length).toBe(journalObjectBytes(body, entries.length));
  });
});
