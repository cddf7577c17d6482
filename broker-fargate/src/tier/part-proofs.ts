import type { ColdPart, TopicId } from "@millrace/core";
import type { Crc32c, ImageTail } from "@millrace/wire";
import { isSegment } from "./cold-changes.ts";
import type { StoredParts } from "./tiered-partition.ts";

/** What can be said of parts before something else is given up for them. */
export interface PartProofs {
  /** Whether its object is there, and as long as it was. Rejects with ObjectError. */
  isThere(part: ColdPart): Promise<boolean>;
  /**
   * Whether the image is, byte for byte, the one that was stored: it is read from end to end, past
   * the cache. Rejects with ObjectError.
   */
  isWhole(part: ColdPart): Promise<boolean>;
  /** All of its batches, proven so; undefined: they are not. Rejects with ObjectError. */
  wholeBatches(part: ColdPart): Promise<Uint8Array | undefined>;
}

export interface PartProofsDeps {
  readonly of: { readonly topicId: TopicId; readonly partition: number };
  readonly readRange: StoredParts["readRange"];
  /** Never one that was read before: it may be damaged since. */
  readonly readTail: (part: ColdPart) => Promise<ImageTail | undefined>;
  readonly crc32c: Crc32c;
  /** Of one request. */
  readonly pieceBytes: number;
}

export function partProofs(deps: PartProofsDeps): PartProofs {
  return {
    isThere: (part) => isThere(part, deps),
    isWhole: (part) => isWhole(part, deps, () => undefined),
    wholeBatches: async (part) => {
      const batches = new Uint8Array(part.batchesBytes);
      const take = (piece: Uint8Array, at: number): void => batches.set(piece, at);
      return (await isWhole(part, deps, take)) ? batches : undefined;
    },
  };
}

async function isThere(part: ColdPart, { readRange }: PartProofsDeps): Promise<boolean> {
  if (part.isLost === true) return false;
  const last = part.position + part.bytes - 1;
  const found = await readRange(part.object, { from: last, bytes: 2 });
  // What follows it in a pack is another image.
  return isSegment(part) ? found?.length === 1 : (found?.length ?? 0) >= 1;
}

/** By the CRC of all of them: no batch's own one covers its offset. */
async function isWhole(
  part: ColdPart,
  deps: PartProofsDeps,
  take: (piece: Uint8Array, at: number) => void,
): Promise<boolean> {
  if (part.isLost === true) return false;
  const footer = (await deps.readTail(part))?.footer;
  if (footer === undefined) return false;
  const { partition, topicId } = deps.of;
  const isIts =
    footer.topicId === topicId &&
    footer.partition === partition &&
    footer.baseOffset === part.baseOffset &&
    footer.nextOffset === part.nextOffset &&
    footer.batchesBytes === part.batchesBytes;
  if (!isIts) return false;
  let crc = 0;
  for (let at = 0; at < part.batchesBytes; at += deps.pieceBytes) {
    const bytes = Math.min(deps.pieceBytes, part.batchesBytes - at);
    const piece = await deps.readRange(part.object, { from: part.position + at, bytes });
    if (piece?.length !== bytes) return false;
    crc = deps.crc32c(piece, crc);
    take(piece, at);
  }
  return crc === footer.batchesCrc;
}
