import type {
  CleanOrder,
  CleanReport,
  IndexOrder,
  IndexReport,
  PlainValue,
  SideWork,
} from "@millrace/core";
import { cleanTask, indexTask } from "./tasks.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * The record work of one round, a piece of the log at a time, beside the event loop. It holds the
 * round's key map, which goes to the thread with each call and comes back with its outcome: so one
 * call at a time, and none after one that rejected, because the map is lost then.
 *
 * Rejects with SideWorkError.
 */
export class Compactor {
  readonly #sideWork: SideWork;
  #map: Bytes;

  constructor(sideWork: SideWork, map: Bytes) {
    this.#sideWork = sideWork;
    this.#map = map;
  }

  /** `batches` are given away. */
  async index(batches: Bytes, order: IndexOrder): Promise<IndexReport> {
    const { says } = await this.#run(indexTask, batches, order);
    return says as unknown as IndexReport;
  }

  /** `batches` are given away. */
  async clean(
    batches: Bytes,
    order: CleanOrder,
  ): Promise<{ readonly report: CleanReport; readonly batches: Uint8Array }> {
    const { says, bytes } = await this.#run(cleanTask, batches, order);
    const report = says as unknown as CleanReport;
    return { report, batches: bytes[1] ?? new Uint8Array(0) };
  }

  async #run(
    task: string,
    batches: Bytes,
    order: IndexOrder | CleanOrder,
  ): Promise<{ readonly says: PlainValue; readonly bytes: readonly Uint8Array[] }> {
    const outcome = await this.#sideWork.run({
      task,
      urgency: "background",
      told: order as unknown as PlainValue,
      bytes: [batches, this.#map],
      bytesAre: "moved",
    });
    const [map] = outcome.bytes;
    if (map !== undefined) this.#map = map as Bytes;
    return outcome;
  }
}
