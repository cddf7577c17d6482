import type { BatchFormat, ClippedPart, ColdPart } from "@millrace/core";
import { viewOf } from "@millrace/core";
import type { StoredParts } from "../tier/tiered-partition.ts";

/** A part's object is missing, or has something else than its batches. */
export class ColdPartDamagedError extends Error {
  override readonly name = "ColdPartDamagedError";
  readonly part: ColdPart;

  constructor(part: ColdPart, what: string) {
    super(`${part.object}: ${what}`);
    this.part = part;
  }
}

export interface PieceSource {
  readonly parts: Pick<StoredParts, "readRange">;
  readonly format: BatchFormat;
  /** Of a piece; one batch may be more. */
  readonly pieceBytes: number;
  /** Of one request, which gives several pieces; one batch may be more. */
  readonly requestBytes: number;
  /** Asked before each request and piece. */
  readonly isStopped: () => boolean;
}

/** Whole batches, in an ArrayBuffer of their own. */
export interface ColdPiece {
  readonly batches: Uint8Array<ArrayBuffer>;
  /** Of the first, in the part's batches. */
  readonly position: number;
}

/**
 * The batches of a part from end to end, but those that the part before it has, until all were read
 * or the reading is stopped. Rejects with ColdPartDamagedError, or with ObjectError when the store
 * does not answer.
 */
export async function* piecesOf(
  clipped: ClippedPart,
  source: PieceSource,
): AsyncGenerator<ColdPiece> {
  const { baseOffset, part } = clipped;
  const { format, isStopped, pieceBytes, requestBytes } = source;
  if (part.isLost === true) throw new ColdPartDamagedError(part, "its batches are lost");
  let wanted = requestBytes;
  let due = 0;
  for (let position = 0; position < part.batchesBytes && !isStopped(); ) {
    const left = part.batchesBytes - position;
    const bytes = await request(part, { position, bytes: Math.min(wanted, left) }, source);
    const { end, nextBytes, nextOffset } = wholeBatches(bytes, { clipped, due }, format);
    if (end === 0 && (nextBytes <= bytes.length || nextBytes > left)) {
      throw new ColdPartDamagedError(part, `no batch at byte ${position}`);
    }
    wanted = Math.max(requestBytes, end === 0 ? nextBytes : 0);
    for (const [from, to] of cut(bytes.subarray(0, end), { baseOffset, pieceBytes }, format)) {
      if (isStopped()) return;
      yield { batches: bytes.slice(from, to), position: position + from };
    }
    position += end;
    due = nextOffset;
  }
}

async function request(
  part: ColdPart,
  at: { readonly position: number; readonly bytes: number },
  { parts }: PieceSource,
): Promise<Uint8Array> {
  const range = { from: part.position + at.position, bytes: at.bytes };
  const bytes = await parts.readRange(part.object, range);
  if (bytes?.length !== at.bytes) throw new ColdPartDamagedError(part, "it is missing, or cut off");
  return bytes;
}

/**
 * Where the last whole batch ends, what offset follows it, and the bytes of the one that is next: 0
 * where none is. No CRC covers an offset: one that is wrong would be put anew, and be right then.
 */
function wholeBatches(
  bytes: Uint8Array,
  { clipped, due }: { readonly clipped: ClippedPart; readonly due: number },
  format: BatchFormat,
): { readonly end: number; readonly nextOffset: number; readonly nextBytes: number } {
  const view = viewOf(bytes);
  let end = 0;
  let nextOffset = due;
  while (bytes.length - end >= format.BATCH_HEADER_BYTES) {
    const nextBytes = format.readBatchBytes(view, end);
    const first = format.readBaseOffset(view, end);
    const last = format.readLastOffset(view, end);
    const isInPlace = first >= nextOffset && last < clipped.endOffset;
    const isClipped = last < clipped.baseOffset || first >= clipped.baseOffset;
    const isBatch = nextBytes >= format.BATCH_HEADER_BYTES && isInPlace && isClipped;
    if (!isBatch) return { end, nextOffset, nextBytes: 0 };
    if (end + nextBytes > bytes.length) return { end, nextOffset, nextBytes };
    end += nextBytes;
    nextOffset = last + 1;
  }
  return { end, nextOffset, nextBytes: 0 };
}

/** From where to where its pieces reach. */
function* cut(
  bytes: Uint8Array,
  by: { readonly baseOffset: number; readonly pieceBytes: number },
  format: BatchFormat,
): Generator<readonly [number, number]> {
  const view = viewOf(bytes);
  let begin = 0;
  let at = 0;
  while (at < bytes.length) {
    const end = at + format.readBatchBytes(view, at);
    if (format.readLastOffset(view, at) < by.baseOffset) begin = end;
    else if (end - begin > by.pieceBytes && at > begin) {
      yield [begin, at];
      begin = at;
    }
    at = end;
  }
  if (begin < at) yield [begin, at];
}
