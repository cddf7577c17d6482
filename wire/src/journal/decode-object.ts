import { epoch, slot, topicId } from "@millrace/core";
import type { IncarnationId } from "@millrace/core";
import type { Crc32c } from "../crc32c.ts";
import { readInt64 } from "../record/int64.ts";
import { journalObjectBytes } from "./encode-object.ts";
import { kindFromCode } from "./entry.ts";
import type { JournalEntry } from "./entry.ts";
import { readHex16 } from "./hex.ts";
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

export interface JournalObjectHeader {
  readonly incarnation: string;
  readonly seq: number;
  readonly nonce: Uint8Array;
  /** Milliseconds since 1970. */
  readonly wallMs: number;
  readonly entryCount: number;
  readonly bodyBytes: number;
  /** Of the whole object: header, body and footer. */
  readonly objectBytes: number;
}

export interface JournalObject {
  readonly header: JournalObjectHeader;
  /** In the order in which they were appended. */
  readonly entries: readonly JournalEntry[];
}

/** `newerFormat` is no damage: a later release wrote it, and this one must not go on. */
export type InvalidJournalObject = {
  readonly kind: "invalid";
  readonly reason: "short" | "notAnObject" | "newerFormat" | "headerDamaged" | "objectDamaged";
};

/** Reads the header at the start of `bytes`; the lengths that it returns are within bounds. */
export function decodeJournalHeader(
  bytes: Uint8Array,
  crc32c: Crc32c,
): { readonly kind: "ok"; readonly header: JournalObjectHeader } | InvalidJournalObject {
  if (bytes.length < HEADER_BYTES) return { kind: "invalid", reason: "short" };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(MAGIC_AT) !== HEADER_MAGIC) return { kind: "invalid", reason: "notAnObject" };
  if (crc32c(bytes.subarray(0, HEADER_CRC_AT)) !== view.getUint32(HEADER_CRC_AT)) {
    return { kind: "invalid", reason: "headerDamaged" };
  }
  if (view.getUint16(FORMAT_VERSION_AT) > FORMAT_VERSION) {
    return { kind: "invalid", reason: "newerFormat" };
  }
  const bodyBytes = view.getUint32(BODY_BYTES_AT);
  const entryCount = view.getUint32(ENTRY_COUNT_AT);
  const seq = readInt64(view, SEQ_AT);
  if (bodyBytes > BODY_BYTES_MAX || entryCount > ENTRIES_MAX || !Number.isSafeInteger(seq)) {
    return { kind: "invalid", reason: "headerDamaged" };
  }
  const counter = readInt64(view, INCARNATION_COUNTER_AT);
  return {
    kind: "ok",
    header: {
      incarnation: `${counter}-${readHex16(view, INCARNATION_RANDOM_AT)}`,
      seq,
      nonce: bytes.slice(NONCE_AT, NONCE_AT + NONCE_BYTES),
      wallMs: readInt64(view, WALL_MS_AT),
      entryCount,
      bodyBytes,
      objectBytes: journalObjectBytes(bodyBytes, entryCount),
    },
  };
}

/** Whether the object or fence is of this incarnation's journal; foreign bytes are never replayed. */
export function isOfIncarnation(
  header: Pick<JournalObjectHeader, "incarnation">,
  incarnation: IncarnationId,
): boolean {
  const dash = incarnation.indexOf("-");
  const counter = Number(incarnation.slice(0, dash));
  return header.incarnation === `${counter}${incarnation.slice(dash)}`;
}

/**
 * Reads a whole object that begins at the start of `bytes` (more may follow it), and checks every
 * byte of it. Allocates by the length of `bytes`, never by a length that was read.
 */
export function decodeJournalObject(
  bytes: Uint8Array,
  crc32c: Crc32c,
): { readonly kind: "ok"; readonly object: JournalObject } | InvalidJournalObject {
  const decoded = decodeJournalHeader(bytes, crc32c);
  if (decoded.kind === "invalid") return decoded;
  const { header } = decoded;
  if (bytes.length < header.objectBytes) return { kind: "invalid", reason: "short" };
  const view = new DataView(bytes.buffer, bytes.byteOffset, header.objectBytes);
  const indexAt = HEADER_BYTES + header.bodyBytes;
  const trailerAt = header.objectBytes - TRAILER_BYTES;
  const headerCrc = view.getUint32(HEADER_CRC_AT);
  const indexCrc = crc32c(bytes.subarray(indexAt, trailerAt + TRAILER_INDEX_CRC_AT), headerCrc);
  const whole =
    view.getUint32(trailerAt + TRAILER_MAGIC_AT) === TRAILER_MAGIC &&
    view.getUint32(trailerAt + TRAILER_ENTRY_COUNT_AT) === header.entryCount &&
    view.getUint32(trailerAt + TRAILER_INDEX_CRC_AT) === indexCrc &&
    view.getUint32(trailerAt + TRAILER_BODY_CRC_AT) ===
      crc32c(bytes.subarray(HEADER_BYTES, indexAt));
  if (!whole) return { kind: "invalid", reason: "objectDamaged" };
  const entries: JournalEntry[] = [];
  let position = HEADER_BYTES;
  for (let at = indexAt; at < trailerAt; at += ENTRY_BYTES) {
    const entry = readEntry(view, at, position);
    if (entry === undefined || entry.position + entry.length > indexAt) {
      return { kind: "invalid", reason: "objectDamaged" };
    }
    entries.push(entry);
    position += entry.length;
  }
  if (position !== indexAt) return { kind: "invalid", reason: "objectDamaged" };
  return { kind: "ok", object: { header, entries } };
}

/**
 * undefined for what no writer of this format writes: CRCs guard against damage, not against bugs.
 */
function readEntry(view: DataView, at: number, expectedPosition: number): JournalEntry | undefined {
  const kind = kindFromCode(view.getUint32(at + ENTRY_KIND_AT));
  const partition = view.getInt32(at + ENTRY_PARTITION_AT);
  const slotNumber = view.getInt32(at + ENTRY_SLOT_AT);
  const epochNumber = view.getInt32(at + ENTRY_EPOCH_AT);
  const baseOffset = readInt64(view, at + ENTRY_BASE_OFFSET_AT);
  const lastOffset = readInt64(view, at + ENTRY_LAST_OFFSET_AT);
  const position = view.getUint32(at + ENTRY_POSITION_AT);
  const idHex = readHex16(view, at + ENTRY_TOPIC_ID_AT);
  const plausible =
    kind !== undefined &&
    partition >= 0 &&
    slotNumber >= 0 &&
    epochNumber >= 0 &&
    baseOffset >= 0 &&
    lastOffset >= baseOffset - 1 &&
    Number.isSafeInteger(lastOffset) &&
    position === expectedPosition &&
    /[1-9a-f]/.test(idHex);
  if (!plausible) return undefined;
  return {
    kind,
    topicId: topicId(idHex),
    partition,
    slot: slot(slotNumber),
    epoch: epoch(epochNumber),
    baseOffset,
    lastOffset,
    position,
    length: view.getUint32(at + ENTRY_LENGTH_AT),
  };
}
