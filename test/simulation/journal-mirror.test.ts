import { type IncarnationId, incarnationId } from "@millrace/core";
import { crc32c, encodeFence, encodeJournalObject, JOURNAL_NONCE_BYTES } from "@millrace/wire";
import { expect, test } from "vitest";
import { MirroredJournal } from "./journal-mirror.ts";

const incarnation: IncarnationId = incarnationId(`1-${"a".repeat(32)}`);

function fence(seq: number): Uint8Array {
  const nonce = new Uint8Array(JOURNAL_NONCE_BYTES);
  return encodeFence({ incarnation, seq, nonce, wallMs: 0 }, crc32c);
}

test("a journal has one fence, behind its last object", () => {
  const journal = new MirroredJournal();
  expect(journal.stored(3, fence(3))).toBe("a fence at 3, and objects up to 0");
  expect(journal.stored(0, fence(0))).toEqual([]);
  expect(journal.stored(1, fence(1))).toBe("a fence at 1, and one at 0");
});

test("a fence of who stood still while the journal was closed and deleted says nothing", () => {
  const journal = new MirroredJournal();
  const nonce = new Uint8Array(JOURNAL_NONCE_BYTES);
  const draft = { incarnation, seq: 0, nonce, wallMs: 0, entries: [] };
  journal.stored(0, Buffer.concat(encodeJournalObject(draft, crc32c).parts));
  journal.stored(1, fence(1));
  expect(journal.stored(0, fence(0))).toBe("a fence at 0, and one at 1");
  journal.deleted(0);
  expect(journal.stored(0, fence(0))).toEqual([]);
  expect(journal.fence).toBe(1);
});
