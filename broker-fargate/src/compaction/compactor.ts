import type {
  CleanOrder,
  CleanReport,
  IndexOrder,
  IndexReport,
  PlainValue,
  SideOutcome,
  SideWork,
} from "@millrace/core";
import type { PieceBuffers } from "./piece-buffers.ts";
import { type CleanSaid, cleanTask, indexTask, type PieceTold } from "./tasks.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * The record work of one round, a piece of the log at a time, beside the event loop. The round's key
 * map is shared with the thread: so one call at a time, and none after one that rejected, because
 * nobody knows then what lies in the map (`isLost`).
 *
 * Rejects with SideWorkError.
 */
export class Compactor {
  readonly #sideWork: SideWork;
  readonly #map: Uint8Array;
  readonly #buffers: PieceBuffers | undefined;
  #isLost = false;

  /** `buffers`: where the memory of pieces goes of which nothing is left to write. */
  constructor(sideWork: SideWork, map: Uint8Array, buffers?: PieceBuffers) {
    this.#sideWork = sideWork;
    this.#map = map;
    this.#buffers = buffers;
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  /** `batches` are given away, with all of the ArrayBuffer that they begin. */
  async index(batches: Bytes, order: IndexOrder): Promise<IndexReport> {
    const { says, bytes } = await this.#run(indexTask, batches, order);
    if (bytes[0] !== undefined) this.#buffers?.giveBack(bytes[0]);
    return says as unknown as IndexReport;
  }

  /** `batches` are given away, likewise; what is left of them mostly lies in the same memory. */
  async clean(
    batches: Bytes,
    order: CleanOrder,
  ): Promise<{ readonly report: CleanReport; readonly batches: Uint8Array }> {
    const { says, bytes } = await this.#run(cleanTask, batches, order);
    const { leftBytes, report } = says as unknown as CleanSaid;
    const [piece = new Uint8Array(0), own] = bytes;
    if (own !== undefined) this.#buffers?.giveBack(piece);
    return { report, batches: own ?? piece.subarray(0, leftBytes) };
  }

  async #run(task: string, batches: Bytes, order: IndexOrder | CleanOrder): Promise<SideOutcome> {
    const told: PieceTold = { order, pieceBytes: batches.length };
    try {
      return await this.#sideWork.run({
        task,
        urgency: "background",
        told: told as unknown as PlainValue,
        bytes: [new Uint8Array(batches.buffer), this.#map],
        bytesAre: "moved",
      });
    } catch (error) {
      this.#isLost = true;
      throw error;
    }
  }
}
