import { piecesInFlight } from "./limits.ts";

/**
 * Memory for the pieces of one round: what a piece was read into goes to a thread and comes back
 * with what is left of it, is written from there, and then holds another piece. Fresh memory would
 * cost a page fault for every 4 KiB, on both sides.
 */
export class PieceBuffers {
  readonly #pieceBytes: number;
  readonly #free: ArrayBuffer[] = [];

  constructor(pieceBytes: number) {
    this.#pieceBytes = pieceBytes;
  }

  take(): Uint8Array<ArrayBuffer> {
    const free = this.#free.pop();
    return free === undefined ? new Uint8Array(this.#pieceBytes) : new Uint8Array(free);
  }

  /** Of whatever lies in the memory; that of a batch larger than a piece is let go. */
  giveBack({ buffer }: Uint8Array): void {
    const isPiece = buffer instanceof ArrayBuffer && buffer.byteLength === this.#pieceBytes;
    if (isPiece && this.#free.length < piecesInFlight) this.#free.push(buffer);
  }
}
