import * as batch from "./batch.ts";
import { BATCH_HEADER_BYTES, CRC_COVERS_FROM } from "./layout.ts";
import { validateBatch } from "./validate-batch.ts";

/**
 * What reads and writes batches in place, as one object. Who needs it as a value takes this one and
 * not the whole module: a bundle would hold the codecs of all requests for it.
 */
export const batchFormat: typeof batch & {
  readonly BATCH_HEADER_BYTES: number;
  readonly CRC_COVERS_FROM: number;
  readonly validateBatch: typeof validateBatch;
} = { ...batch, BATCH_HEADER_BYTES, CRC_COVERS_FROM, validateBatch };
