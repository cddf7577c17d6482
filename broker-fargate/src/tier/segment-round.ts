import type { ColdPart, ReadBuffers, Tail } from "@millrace/core";
import type { TierLimits } from "./limits.ts";
import type { ManifestItems } from "./manifest-items.ts";
import type { ObjectAccess } from "./object-access.ts";
import { PackedDamageError, TailGoneError, tailOf } from "./tail-reader.ts";
import type { ImageWish, TailOwner, TailReader } from "./tail-reader.ts";
import type { TieredPartition } from "./tiered-partition.ts";

export interface SegmentRoundDeps {
  readonly limits: TierLimits;
  readonly objects: ObjectAccess;
  readonly manifest: ManifestItems;
  readonly buffers: ReadBuffers;
  readonly tails: TailReader;
  /** A segment counts from now on whose batches nothing has any more. */
  readonly onLost: (of: TieredPartition, lost: ColdPart) => void;
  readonly warn: (what: string, cause: unknown) => void;
}

/**
 * Makes cold segments of large tails: objects first, then all their manifest items at once, then
 * they count.
 *
 * Of a commit that failed nobody may know whether it was made. Then the manifest is asked, in this
 * round or before the next segments of the partition, when the commit can't be made any more:
 * segments that it names count, and objects that it does not name are deleted (ownership rule 19). Nothing is stored before that is known:
 * another cut of the same tail would leave items between its own.
 *
 * Where neither the hot log nor the pack gives batches back, in two rounds, a segment that is lost
 * takes their place: what lies above goes into the object store as ever, and the journal with it.
 */
export class SegmentRound {
  readonly #deps: SegmentRoundDeps;

  constructor(deps: SegmentRoundDeps) {
    this.#deps = deps;
  }

  /**
   * Stores the tail, as it is now, or as much as one commit names. Rejects with ObjectError,
   * MetadataError, FencedError, DiskError, TailGoneError, or PackedDamageError where that is new.
   */
  async store(owner: TailOwner, tail: Tail): Promise<"all" | "some"> {
    const { log, tiered } = owner;
    const producers = log.producers.snapshot();
    const outcome = await tiered.changes.run(() => {
      // Compaction may have made a segment of what is packed.
      const isMoved = tailOf(owner).from !== tail.from;
      return isMoved ? Promise.resolve("some" as const) : this.#store(owner, tail, producers);
    });
    if (outcome === "closed") throw new TailGoneError(tail.from);
    // The start may have moved while they were stored.
    if (log.logStartOffset > tail.from) await tiered.cutStart(log.logStartOffset);
    return outcome;
  }

  async #store(owner: TailOwner, tail: Tail, producers: Uint8Array): Promise<"all" | "some"> {
    const { limits, manifest } = this.#deps;
    const { tiered } = owner;
    // Of a tail of which compaction left nothing, one without batches.
    const count = Math.max(1, Math.ceil(tail.bytes / limits.coldSegmentBytesMax));
    const targetBytes = Math.max(1, Math.ceil(tail.bytes / count));
    const parts: ColdPart[] = [];
    let from = tail.from;
    try {
      while (from < tail.to && parts.length < limits.segmentsPerCommitMax) {
        const part = await this.#put(owner, { from, to: tail.to, targetBytes, producers });
        parts.push(part);
        from = part.nextOffset;
      }
      if (owner.isOver) throw new TailGoneError(from);
      await manifest.add(tiered.at, parts);
    } catch (error) {
      const isNamed = await this.#afterFailure(owner, parts);
      if (!isNamed) throw error;
      return from >= tail.to ? "all" : "some";
    }
    this.#count(owner, parts);
    return from >= tail.to ? "all" : "some";
  }

  async #put(owner: TailOwner, wish: ImageWish): Promise<ColdPart> {
    const { buffers, tails } = this.#deps;
    try {
      const image = await tails.readImage(owner, wish);
      try {
        return await owner.tiered.changes.put(image);
      } finally {
        for (const run of image.runs) buffers.giveBack(run);
      }
    } catch (error) {
      if (!(error instanceof PackedDamageError) || !error.isConfirmed) throw error;
      if (error.offset <= wish.from) return this.#putLost(owner, wish, error.part);
      // Those of the tail's end are not those of an image that ends before it.
      return this.#put(owner, { ...wish, to: error.offset, producers: none });
    }
  }

  /** What there is of them, as it is, up to where the hot log goes on, or the part ends. */
  async #putLost(
    { log, tiered }: TailOwner,
    { from, to }: ImageWish,
    part: ColdPart,
  ): Promise<ColdPart> {
    const range = { from: part.position, bytes: part.bytes };
    const found = (await this.#deps.objects.readRange(part.object, range)) ?? none;
    const { localStartOffset } = log;
    const hotFrom = localStartOffset > from ? localStartOffset : to;
    const nextOffset = Math.min(part.nextOffset, hotFrom, to);
    const offsets = { baseOffset: from, nextOffset };
    return tiered.changes.put({
      ...{ parts: [found], runs: [], bytes: found.length },
      at: (object, position) => ({ ...part, ...offsets, object, position, isLost: true }),
    });
  }

  #count({ tiered }: TailOwner, parts: readonly ColdPart[]): void {
    if (tiered.cold.packed.length > 0) tiered.packs.isChanged = true;
    for (const part of parts) {
      tiered.cold.addSegment(part);
      if (part.isLost === true) this.#deps.onLost(tiered, part);
    }
  }

  /** True: the commit was made nevertheless, and its segments count. */
  async #afterFailure(owner: TailOwner, parts: readonly ColdPart[]): Promise<boolean> {
    if (parts.length === 0) return false;
    try {
      return await this.#settle(owner, parts);
    } catch (error) {
      owner.tiered.changes.mustSettle(async () => void (await this.#settle(owner, parts)));
      this.#deps.warn("what became of a commit of segments is asked before the next one", error);
      return false;
    }
  }

  async #settle(owner: TailOwner, parts: readonly ColdPart[]): Promise<boolean> {
    const { manifest, objects, warn } = this.#deps;
    const found = await manifest.settledSegments(owner.tiered.at);
    const named = new Set(found.map(({ object }) => object));
    if (parts.every(({ object }) => named.has(object))) {
      this.#count(owner, parts);
      return true;
    }
    const unnamed = parts.map(({ object }) => object).filter((object) => !named.has(object));
    try {
      await objects.delete(unnamed);
    } catch (error) {
      warn("objects of a commit that failed are left for the next sweep", error);
    }
    return false;
  }
}

const none = new Uint8Array(0);
