import type { IncarnationId } from "@millrace/core";
import type { Crc32c } from "../crc32c.ts";
import { readInt64, writeInt64 } from "../record/int64.ts";
import { readHex16, writeHex16 } from "./hex.ts";
import {
  FENCE_BYTES,
  FENCE_CRC_AT,
  FENCE_MAGIC,
  FORMAT_VERSION,
  FORMAT_VERSION_AT,
  INCARNATION_COUNTER_AT,
  INCARNATION_RANDOM_AT,
  MAGIC_AT,
  NONCE_AT,
  NONCE_BYTES,
  SEQ_AT,
  WALL_MS_AT,
} from "./layout.ts";

/**
 * What ends the journal of an incarnation that another process takes over from: an object of its
 * own kind at the first free seq, so that the former owner's own put of that seq finds it.
 */
export interface Fence {
  /** Whose journal ends here. */
  readonly incarnation: string;
  /** The journal's end: the seq whose place the fence takes. */
  readonly seq: number;
  readonly nonce: Uint8Array;
  /** When it was made: milliseconds since 1970, for people only. */
  readonly wallMs: number;
}

export interface FenceDraft extends Omit<Fence, "incarnation"> {
  readonly incarnation: IncarnationId;
}

/** `newerFormat` is no damage: a later release wrote it, and this one must not go on. */
export type InvalidFence = {
  readonly kind: "invalid";
  readonly reason: "short" | "notAFence" | "newerFormat" | "damaged";
};

/** Throws RangeError for a nonce of another length than 16 bytes. */
export function encodeFence(draft: FenceDraft, crc32c: Crc32c): Uint8Array {
  if (draft.nonce.length !== NONCE_BYTES) throw new RangeError("a nonce has 16 bytes");
  const bytes = new Uint8Array(FENCE_BYTES);
  const view = new DataView(bytes.buffer);
  const dash = draft.incarnation.indexOf("-");
  view.setUint32(MAGIC_AT, FENCE_MAGIC);
  view.setUint16(FORMAT_VERSION_AT, FORMAT_VERSION);
  writeInt64(view, INCARNATION_COUNTER_AT, Number(draft.incarnation.slice(0, dash)));
  writeHex16(view, INCARNATION_RANDOM_AT, draft.incarnation.slice(dash + 1));
  writeInt64(view, SEQ_AT, draft.seq);
  bytes.set(draft.nonce, NONCE_AT);
  writeInt64(view, WALL_MS_AT, draft.wallMs);
  view.setUint32(FENCE_CRC_AT, crc32c(bytes.subarray(0, FENCE_CRC_AT)));
  return bytes;
}

/** Reads the fence at the start of `bytes`; `notAFence` is what a journal object is. */
export function decodeFence(
  bytes: Uint8Array,
  crc32c: Crc32c,
): { readonly kind: "ok"; readonly fence: Fence } | InvalidFence {
  if (bytes.length < FENCE_BYTES) return { kind: "invalid", reason: "short" };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(MAGIC_AT) !== FENCE_MAGIC) return { kind: "invalid", reason: "notAFence" };
  const seq = readInt64(view, SEQ_AT);
  const crc = crc32c(bytes.subarray(0, FENCE_CRC_AT));
  if (crc !== view.getUint32(FENCE_CRC_AT) || !Number.isSafeInteger(seq)) {
    return { kind: "invalid", reason: "damaged" };
  }
  if (view.getUint16(FORMAT_VERSION_AT) > FORMAT_VERSION) {
    return { kind: "invalid", reason: "newerFormat" };
  }
  const counter = readInt64(view, INCARNATION_COUNTER_AT);
  return {
    kind: "ok",
    fence: {
      incarnation: `${counter}-${readHex16(view, INCARNATION_RANDOM_AT)}`,
      seq,
      nonce: bytes.slice(NONCE_AT, NONCE_AT + NONCE_BYTES),
      wallMs: readInt64(view, WALL_MS_AT),
    },
  };
}
