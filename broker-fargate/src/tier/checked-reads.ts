import { SideWorkError } from "@millrace/core";
import type { PartitionLog, ReadAhead, ReadBuffers, ReadRange, SideWork } from "@millrace/core";
import { checkBatchesName, type CheckSaid } from "../side-work/check-batches.ts";
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
    const into = buffers.takeShared(bytes);
    try {
      const { says } = await sideWork.run({
        ...{ task: checkBatchesName, urgency: "background", told: undefined },
        ...{ bytes: [], bytesAre: "moved", part: { file, position, bytes, into } },
      });
      const { crc, soundBytes } = says as unknown as CheckSaid;
      return { place, bytes: into, soundBytes, crc };
    } catch (error) {
      // The log's own read tells what is wrong with the file, if it is that. The memory is the
      // collector's: a thread that is being ended may write into it for a while.
      if (error instanceof SideWorkError) return undefined;
      throw error;
    }
  }
}
