import { assert, SideWorkError } from "@millrace/core";
import type { PartitionLog, ReadAhead, ReadBuffers, ReadRange, SideWork } from "@millrace/core";
import { type CheckAsk, checkBatchesName, type CheckSaid } from "../side-work/check-batches.ts";
import type { TierLimits } from "./limits.ts";

export interface CheckedReadsDeps {
  readonly sideWork: SideWork;
  readonly buffers: ReadBuffers;
  readonly limits: Pick<TierLimits, "asideReadBytesMin">;
}

/** What a log's read of the same range may begin with. */
export interface CheckedAhead extends ReadAhead {
  /** The CRC-32C of the sound bytes. */
  readonly crc: number;
}

/**
 * Reads and checks parts of logs on a thread: for a GB both take half a second, in which the event
 * loop would serve nobody. The log's own read then finds the bytes read, and decides all the rest.
 */
export class CheckedReads {
  readonly #deps: CheckedReadsDeps;

  constructor(deps: CheckedReadsDeps) {
    this.#deps = deps;
  }

  /** Undefined: too little to be worth it, or it could not be done. Throws DiskError. */
  async ahead(log: PartitionLog, range: ReadRange): Promise<CheckedAhead | undefined> {
    const { buffers, limits, sideWork } = this.#deps;
    const place = log.placeOf(range);
    if (place === undefined || place.bytes < limits.asideReadBytesMin) return undefined;
    const { bytes, file, position } = place;
    const into = new Uint8Array(buffers.take(bytes).buffer);
    const told: CheckAsk = { bytes };
    try {
      const outcome = await sideWork.run({
        ...{ task: checkBatchesName, urgency: "background", told },
        ...{ bytes: [], bytesAre: "moved", part: { file, position, bytes, into } },
      });
      const { crc, soundBytes } = outcome.says as unknown as CheckSaid;
      const [memory] = outcome.bytes;
      assert(memory !== undefined && memory.length >= bytes, "the memory comes back");
      return { place, bytes: memory.subarray(0, bytes), soundBytes, crc };
    } catch (error) {
      // It was not moved: no thread has it, or will.
      if (into.length > 0) buffers.giveBack(into);
      // The log's own read tells what is wrong with the file, if it is that.
      if (error instanceof SideWorkError) return undefined;
      throw error;
    }
  }
}
