import { type SideTask, soundBytesOf } from "@millrace/core";
import * as wire from "@millrace/wire";
import type { Crc32c } from "@millrace/wire";

/** Looks whether batches of a log are what was written once. */
export const checkBatchesName = "check-batches";

export type CheckSaid = {
  /** The first of them, so many, are whole batches whose CRC holds. */
  readonly soundBytes: number;
  /** The CRC-32C of these. */
  readonly crc: number;
};

/** Nobody waits for it: urgency `background`. The batches lie in memory that is shared. */
export function checkBatchesTask({ crc32c }: { readonly crc32c: Crc32c }): SideTask {
  return ({ bytes: [batches] }) => {
    if (batches === undefined) throw new TypeError("there are no batches to check");
    const soundBytes = soundBytesOf({ crc32c, format: wire }, batches);
    const crc = wire.crcOfBatches(batches.subarray(0, soundBytes), crc32c);
    const said: CheckSaid = { soundBytes, crc };
    return { says: said, bytes: [] };
  };
}
