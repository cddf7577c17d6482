import type { IncarnationId } from "@millrace/core";
import type { Crc32c } from "../crc32c.ts";
import { combineCrc32c } from "../crc32c-combine.ts";
import { writeInt64 } from "../record/int64.ts";
import { kindToCode } from "./entry.ts";
import type { JournalEntryDraft } from "./entry.ts";
import { writeHex16 } from "./hex.ts";
import {
  BODY_BYTES_AT,
  BODY_BYTES_MAX,
  ENTRIES_MAX,
  ENTRY_BASE_OFFSET_AT,
  ENTRY_BYTES,
  ENTRY_COUNT_AT,
  ENTRY_EPOCH_AT,
  ENTRY_KIND_AT,
  ENTRY_LAST_OFFSET_AT,
  ENTRY_LENGTH_AT,
  ENTRY_PARTITION_AT,
  ENTRY_POSITION_AT,
  ENTRY_SLOT_AT,
  ENTRY_TOPIC_ID_AT,
  FORMAT_VERSION,
  FORMAT_VERSION_AT,
  HEADER_BYTES,
  HEADER_CRC_AT,
  HEADER_MAGIC,
  INCARNATION_COUNTER_AT,
  INCARNATION_RANDOM_AT,
  MAGIC_AT,
  NONCE_AT,
  NONCE_BYTES,
  SEQ_AT,
  TRAILER_BODY_CRC_AT,
  TRAILER_BYTES,
  TRAILER_ENTRY_COUNT_AT,
  TRAILER_INDEX_CRC_AT,
  TRAILER_MAGIC,
  TRAILER_MAGIC_AT,
  WALL_MS_AT,
} from "./layout.ts";

/** One group commit, before it is bytes. */
export interface JournalObjectDraft {
  readonly incarnation: IncarnationId;
  readonly seq: number;
  /** `NONCE_BYTES` random bytes, drawn once per seq (a seq's bytes never change). */
  readonly nonce: Uint8Array;
  /** Milliseconds since 1970. */
  readonly wallMs: number;
  readonly entries: readonly JournalEntryDraft[];
}

export interface EncodedJournalObject {
  /** Header, the entries' own bytes, footer: to be written one after another. */
  readonly parts: readonly Uint8Array[];
  readonly bytes: number;
}

/** Bytes that an object with these contents takes. */
export function journalObjectBytes(bodyBytes: number, entryCount: number): number {
  return HEADER_BYTES + bodyBytes + entryCount * ENTRY_BYTES + TRAILER_BYTES;
}

/**
 * Lays out one object; the batches' bytes are passed on, not copied, and must not change any more.
 * Throws RangeError for more than the format can carry, which the caller's limits rule out.
 */
export function encodeJournalObject(
  draft: JournalObjectDraft,
  crc32c: Crc32c,
): EncodedJournalObject {
  const { entries } = draft;
  if (entries.length > ENTRIES_MAX) throw new RangeError(`too many entries: ${entries.length}`);
  const index = new Uint8Array(entries.length * ENTRY_BYTES + TRAILER_BYTES);
  const indexView = new DataView(index.buffer);
  const header = new Uint8Array(HEADER_BYTES);
  const parts: Uint8Array[] = [header];
  let position = HEADER_BYTES;
  let bodyCrc = 0;
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i] as JournalEntryDraft;
    const from = position;
    for (const part of entry.parts) {
      parts.push(part);
      position += part.length;
    }
    const length = position - from;
    bodyCrc = continueCrc(bodyCrc, entry, { length, crc32c });
    writeEntry(indexView, i * ENTRY_BYTES, entry, { position: from, length });
  }
  const bodyBytes = position - HEADER_BYTES;
  if (bodyBytes > BODY_BYTES_MAX) throw new RangeError(`body too long: ${bodyBytes}`);
  const headerCrc = writeHeader(header, draft, { bodyBytes, crc32c });
  const trailerAt = entries.length * ENTRY_BYTES;
  indexView.setUint32(trailerAt + TRAILER_ENTRY_COUNT_AT, entries.length);
  indexView.setUint32(trailerAt + TRAILER_BODY_CRC_AT, bodyCrc);
  const indexCrc = crc32c(index.subarray(0, trailerAt + TRAILER_INDEX_CRC_AT), headerCrc);
  indexView.setUint32(trailerAt + TRAILER_INDEX_CRC_AT, indexCrc);
  indexView.setUint32(trailerAt + TRAILER_MAGIC_AT, TRAILER_MAGIC);
  parts.push(index);
  return { parts, bytes: position + index.length };
}

function continueCrc(
  before: number,
  { crc, parts }: JournalEntryDraft,
  how: { readonly length: number; readonly crc32c: Crc32c },
): number {
  if (crc !== undefined) return combineCrc32c(before, crc, how.length);
  let bodyCrc = before;
  for (const part of parts) bodyCrc = how.crc32c(part, bodyCrc);
  return bodyCrc;
}

function writeEntry(
  view: DataView,
  at: number,
  entry: JournalEntryDraft,
  place: { readonly position: number; readonly length: number },
): void {
  writeHex16(view, at + ENTRY_TOPIC_ID_AT, entry.topicId);
  view.setInt32(at + ENTRY_PARTITION_AT, entry.partition);
  view.setInt32(at + ENTRY_SLOT_AT, entry.slot);
  view.setInt32(at + ENTRY_EPOCH_AT, entry.epoch);
  view.setUint32(at + ENTRY_KIND_AT, kindToCode(entry.kind));
  writeInt64(view, at + ENTRY_BASE_OFFSET_AT, entry.baseOffset);
  writeInt64(view, at + ENTRY_LAST_OFFSET_AT, entry.lastOffset);
  view.setUint32(at + ENTRY_POSITION_AT, place.position);
  view.setUint32(at + ENTRY_LENGTH_AT, place.length);
}

function writeHeader(
  header: Uint8Array,
  draft: JournalObjectDraft,
  rest: { readonly bodyBytes: number; readonly crc32c: Crc32c },
): number {
  if (draft.nonce.length !== NONCE_BYTES) throw new RangeError("a nonce has 16 bytes");
  const view = new DataView(header.buffer);
  const dash = draft.incarnation.indexOf("-");
  view.setUint32(MAGIC_AT, HEADER_MAGIC);
  view.setUint16(FORMAT_VERSION_AT, FORMAT_VERSION);
  writeInt64(view, INCARNATION_COUNTER_AT, Number(draft.incarnation.slice(0, dash)));
  writeHex16(view, INCARNATION_RANDOM_AT, draft.incarnation.slice(dash + 1));
  writeInt64(view, SEQ_AT, draft.seq);
  header.set(draft.nonce, NONCE_AT);
  writeInt64(view, WALL_MS_AT, draft.wallMs);
  view.setUint32(BODY_BYTES_AT, rest.bodyBytes);
  view.setUint32(ENTRY_COUNT_AT, draft.entries.length);
  const crc = rest.crc32c(header.subarray(0, HEADER_CRC_AT));
  view.setUint32(HEADER_CRC_AT, crc);
  return crc;
}
