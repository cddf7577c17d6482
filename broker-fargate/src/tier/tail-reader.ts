import { DiskError, viewOf } from "@millrace/core";
import type {
  ColdPart,
  LogRead,
  PartitionLog,
  Random,
  ReadBuffers,
  ReadRange,
  Tail,
} from "@millrace/core";
import { TIER_NONCE_BYTES } from "@millrace/wire";
import type { WireFormat } from "../partition/wire-format.ts";
import type { CheckedAhead, CheckedReads } from "./checked-reads.ts";
import { CheckpointDamagedError } from "./former-checkpoints.ts";
import { ImageWriter } from "./image-writer.ts";
import type { WrittenImage } from "./image-writer.ts";
import type { TierLimits } from "./limits.ts";
import { bytesOf } from "./tiered-partition.ts";
import type { TieredPartition } from "./tiered-partition.ts";
import type { UploadPace } from "./upload-pace.ts";

/** A partition's log, hot and cold. */
export interface TailOwner {
  readonly log: PartitionLog;
  readonly tiered: TieredPartition;
  /** Closed, or failed until a restart. */
  readonly isOver: boolean;
}

/** What was to be stored is gone meanwhile, or the object store does not give it back. */
export class TailGoneError extends Error {
  override readonly name = "TailGoneError";

  constructor(offset: number) {
    super(`offset ${offset} could not be read`);
  }
}

/**
 * What was packed is not given back as it was, and has to be packed again: packing it as it is now
 * would make it right, by its CRCs.
 */
export class PackedDamageError extends CheckpointDamagedError {
  readonly part: ColdPart;
  /** The first offset that nothing gives. */
  readonly offset: number;
  /** It was read before, in another round, and was not whole then either. */
  readonly isConfirmed: boolean;

  constructor(part: ColdPart, { isConfirmed, offset }: Omit<PackedDamage, "part">) {
    super(`${part.object} does not have the batches from ${offset} on as they were packed`);
    this.part = part;
    this.offset = offset;
    this.isConfirmed = isConfirmed;
  }
}

type PackedDamage = Pick<PackedDamageError, "part" | "offset" | "isConfirmed">;

export interface TailReaderDeps {
  readonly random: Random;
  readonly wire: WireFormat;
  readonly limits: TierLimits;
  readonly pace: UploadPace;
  readonly reads: CheckedReads;
  /** What the batches of hot logs are read into; they get back what no image took. */
  readonly buffers: ReadBuffers;
}

/** Which batches an image is made of. */
export interface ImageWish {
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
  /** It ends with the batch that brings it here, if it does not end at `to`. */
  readonly targetBytes: number;
  /** Those as of `to`. */
  readonly producers: Uint8Array;
}

/** Reads what goes into the object store, and makes images of it. */
export class TailReader {
  readonly #deps: TailReaderDeps;
  /** Parts that were found damaged. */
  readonly #damaged = new WeakSet<ColdPart>();

  constructor(deps: TailReaderDeps) {
    this.#deps = deps;
  }

  /** Whether one of the parts was not whole when it was last read. */
  hasMetDamage(parts: readonly ColdPart[]): boolean {
    return parts.some((part) => this.#damaged.has(part));
  }

  /**
   * An image of the owner's batches; whoever has it gives the memory of its runs back. Rejects with
   * DiskError, ObjectError, TailGoneError or PackedDamageError.
   */
  async readImage(owner: TailOwner, wish: ImageWish): Promise<WrittenImage> {
    const taken = new Set<Uint8Array>();
    try {
      return await this.#readImage(owner, wish, taken);
    } catch (error) {
      for (const bytes of taken) this.#deps.buffers.giveBack(bytes);
      throw error;
    }
  }

  /** `taken`: what the image keeps. */
  async #readImage(
    owner: TailOwner,
    { from, producers, targetBytes, to }: ImageWish,
    taken: Set<Uint8Array>,
  ): Promise<WrittenImage> {
    const { buffers, limits, pace, random, wire } = this.#deps;
    const { partition, topicId } = owner.tiered;
    let image: ImageWriter | undefined;
    let next = from;
    let leftBytes = targetBytes;
    const whole: WholePart = { batches: none };
    while (next < to && leftBytes > 0) {
      const maxBytes = Math.min(limits.chunkBytes, limits.uploadReadBytesPerTurn, leftBytes);
      const range = { from: next, maxBytes, upTo: to, atLeastOneBatch: true };
      const run = await this.#read(owner, range, whole);
      for (const bytes of run.records) taken.add(bytes);
      await pace.read(bytesIn(run));
      if (owner.isOver) throw new TailGoneError(next);
      next = run.nextOffset;
      for (const bytes of run.records) {
        const runOffset = wire.format.readBaseOffset(viewOf(bytes), 0);
        // A start may lie inside a batch: the part begins with the batch.
        const baseOffset = Math.min(from, runOffset);
        image ??= new ImageWriter({ topicId, partition, baseOffset }, wire);
        const room = image.roomFor(bytes, run.nextOffset);
        const isWhole = room === bytes.length;
        if (room > 0) image.add(bytes.subarray(0, room), isWhole ? run.crc : undefined);
        else if (taken.delete(bytes)) buffers.giveBack(bytes);
        leftBytes -= room;
        if (isWhole) continue;
        // It ends here; one that has no batch at all leaves out what nothing lies in.
        next = image.batchesBytes === 0 ? runOffset : image.nextOffset;
        leftBytes = 0;
        break;
      }
    }
    image ??= new ImageWriter({ topicId, partition, baseOffset: from }, wire);
    const nonce = random.bytes(TIER_NONCE_BYTES);
    const isLast = next >= to;
    return image.finish({ nextOffset: next, producers: isLast ? producers : none, nonce });
  }

  /** Whole batches from `from` on, hot or cold; cold, too, where the hot copy is damaged. */
  async #read(owner: TailOwner, range: ReadRange, whole: WholePart): Promise<TailRun> {
    const { tiered } = owner;
    const { from, upTo } = range;
    for (;;) {
      const hot = await this.#readHot(owner, range);
      if (hot instanceof DiskError) {
        if (from >= (tiered.cold.endOffset ?? 0)) throw hot;
      } else if (hot.kind === "ok") {
        // Nothing is left below `upTo`: compaction took it.
        const nextOffset = hot.records.length === 0 ? upTo : hot.nextOffset;
        return { ...hot, nextOffset };
      }
      const part = tiered.cold.find(from);
      if (part === undefined) throw new TailGoneError(from);
      if (part !== whole.part) {
        const batches = await this.#wholeBatches(tiered, part, from);
        if (batches === undefined) continue;
        whole.part = part;
        whole.batches = batches;
      }
      return this.#runOf(part, whole.batches, range);
    }
  }

  /**
   * Every batch's CRC is checked: what goes into the object store wrong is wrong for good, once its hot
   * copy is deleted. Unless somebody waits for the image, a thread does that.
   */
  async #readHot(owner: TailOwner, range: ReadRange): Promise<HotRead | DiskError> {
    const { buffers, pace, reads } = this.#deps;
    const { log } = owner;
    const checked = { ...range, checkedBelow: Number.POSITIVE_INFINITY };
    let ahead: CheckedAhead | undefined;
    let isUsed = false;
    try {
      ahead = await pace.unlessHurried(
        () => reads.ahead(log, checked),
        (late) => {
          if (late !== undefined) buffers.giveBack(late.bytes);
        },
      );
      if (owner.isOver) throw new TailGoneError(range.from);
      if (ahead === undefined) return log.read(checked);
      const read = log.read({ ...checked, ahead });
      isUsed = read.kind === "ok" && read.ahead === ahead;
      return isUsed && read.kind === "ok" && read.records[0]?.length === ahead.soundBytes
        ? { ...read, crc: ahead.crc }
        : read;
    } catch (error) {
      if (error instanceof DiskError) return error;
      throw error;
    } finally {
      if (ahead !== undefined && !isUsed) buffers.giveBack(ahead.bytes);
    }
  }

  /** Not one batch of it counts before all of it does. Undefined: it was replaced meanwhile. */
  async #wholeBatches(
    { cold, proofs }: TieredPartition,
    part: ColdPart,
    offset: number,
  ): Promise<Uint8Array | undefined> {
    const batches = await proofs.wholeBatches(part);
    if (batches !== undefined || !cold.has([part])) {
      this.#damaged.delete(part);
      return batches;
    }
    const isConfirmed = this.#damaged.has(part);
    this.#damaged.add(part);
    throw new PackedDamageError(part, { offset, isConfirmed });
  }

  /** Those that end above `from` and below `upTo`, as `maxBytes` takes, one at least. */
  #runOf(part: ColdPart, batches: Uint8Array, { from, maxBytes, upTo }: ReadRange): TailRun {
    const { format } = this.#deps.wire;
    const view = viewOf(batches);
    let begin = 0;
    let at = 0;
    let reached = from;
    while (at < batches.length) {
      const end = at + format.readBatchBytes(view, at);
      const lastOffset = format.readLastOffset(view, at);
      if (lastOffset >= upTo) return { records: runs(batches, begin, at), nextOffset: upTo };
      if (lastOffset < from) begin = end;
      else if (end - begin > maxBytes && at > begin) {
        return { records: runs(batches, begin, at), nextOffset: reached };
      } else reached = lastOffset + 1;
      at = end;
    }
    const nextOffset = Math.min(part.nextOffset, upTo);
    return { records: runs(batches, begin, at), nextOffset };
  }
}

/** A copy: whoever stores the image gives its memory back. */
function runs(batches: Uint8Array, begin: number, end: number): readonly Uint8Array[] {
  return begin < end ? [batches.slice(begin, end)] : [];
}

function bytesIn({ records }: TailRun): number {
  return records.reduce((sum, { length }) => sum + length, 0);
}

interface TailRun {
  readonly records: readonly Uint8Array[];
  readonly nextOffset: number;
  /** Theirs, where it is known. */
  readonly crc?: number;
}

type HotRead = LogRead & Pick<TailRun, "crc">;

/** The cold part that was read last. */
interface WholePart {
  part?: ColdPart;
  batches: Uint8Array;
}

export function tailOf({ log, tiered }: TailOwner): Tail {
  const { packed } = tiered.cold;
  const from = tiered.cold.segmentsEnd ?? log.logStartOffset;
  const packedEnd = packed.at(-1)?.nextOffset ?? from;
  const bytes = bytesOf(packed) + log.bytesFrom(packedEnd);
  return { from, to: log.endOffset, bytes, packed };
}

const none = new Uint8Array(0);
