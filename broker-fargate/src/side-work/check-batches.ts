import { type SideTask, soundBytesOf } from "@millrace/core";
import * as wire from "@millrace/wire";
import type { Crc32c } from "@millrace/wire";

/** Looks whether batches of a log are what was written once. */
export const checkBatchesName = "check-batches";

export type CheckAsk = {
  /** Of the memory, those that are batches. */
  readonly bytes: number;
};

export type CheckSaid = {
  /** The first of them, so many, are whole batches whose CRC holds. */
  readonly soundBytes: number;
  /** The CRC-32C of these. */
  readonly crc: number;
};

/** Nobody waits for it: urgency `background`. It gives back the memory in which the batches lie. */
export function checkBatchesTask({ crc32c }: { readonly crc32c: Crc32c }): SideTask {
  return ({ bytes: [memory], told }) => {
    if (memory === undefined) throw new TypeError("there are no batches to check");
    const batches = memory.subarray(0, (told as CheckAsk).bytes);
    const soundBytes = soundBytesOf({ crc32c, format: wire }, batches);
    const crc = wire.crcOfBatches(batches.subarray(0, soundBytes), crc32c);
    const said: CheckSaid = { soundBytes, crc };
    return { says: said, bytes: [memory] };
  };
}
