import { assert } from "@millrace/core";
import type { ColdPart, Random, ReadBuffers, Tail } from "@millrace/core";
import { hexOf } from "../cluster/open-cluster.ts";
import type { TierLimits } from "./limits.ts";
import type { ManifestItems } from "./manifest-items.ts";
import type { ObjectAccess } from "./object-access.ts";
import { segmentKey } from "./object-keys.ts";
import { TailGoneError } from "./tail-reader.ts";
import type { ImageWish, TailOwner, TailReader } from "./tail-reader.ts";

export interface SegmentRoundDeps {
  readonly random: Random;
  readonly limits: TierLimits;
  readonly objects: ObjectAccess;
  readonly manifest: ManifestItems;
  readonly clusterId: string;
  readonly buffers: ReadBuffers;
  readonly tails: TailReader;
  readonly warn: (what: string, cause: unknown) => void;
}

/** One that may be closed meanwhile. */
export interface SegmentOwner extends TailOwner {
  readonly isOver: boolean;
}

/**
 * Makes cold segments of large tails: objects first, then all their manifest items at once, then
 * they count.
 *
 * Of a commit that failed nobody may know whether it was made. Then the manifest is asked, in this
 * round or before the next segments of the partition: segments that it names count, and objects
 * that it does not name are deleted (ownership rule 19). Nothing is stored before that is known:
 * another cut of the same tail would leave items between its own.
 */
export class SegmentRound {
  readonly #deps: SegmentRoundDeps;
  /** What a commit was to name of which nobody knows. */
  readonly #unsettled = new Map<SegmentOwner, readonly ColdPart[]>();

  constructor(deps: SegmentRoundDeps) {
    this.#deps = deps;
  }

  /** The partition is over. */
  forget(owner: SegmentOwner): void {
    this.#unsettled.delete(owner);
  }

  /** Finds out what became of an earlier commit. Rejects as ManifestItems does. */
  async settle(owner: SegmentOwner): Promise<void> {
    const parts = this.#unsettled.get(owner);
    if (parts !== undefined) await this.#settle(owner, parts);
  }

  /**
   * Stores the tail, or as much as one commit names. Rejects with ObjectError, MetadataError,
   * FencedError, DiskError or TailGoneError.
   */
  async store(owner: SegmentOwner, tail: Tail): Promise<"all" | "some"> {
    const { limits, manifest } = this.#deps;
    const { log, tiered } = owner;
    const producers = log.producers.snapshot();
    const count = Math.ceil(tail.bytes / limits.coldSegmentBytesMax);
    const targetBytes = Math.ceil(tail.bytes / count);
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
    await this.#count(owner, parts);
    return from >= tail.to ? "all" : "some";
  }

  async #put(owner: SegmentOwner, wish: ImageWish): Promise<ColdPart> {
    const { clusterId, objects, random, tails } = this.#deps;
    const { openSlot, partition, slot, topicId } = owner.tiered.at;
    const image = await tails.readImage(owner, wish);
    const { baseOffset } = image.at("", 0);
    const nonce = hexOf(random.bytes(nonceBytes));
    const name = { topicId, partition, baseOffset, slot, epoch: openSlot.epoch, nonce };
    const key = segmentKey(clusterId, name);
    try {
      const outcome = await objects.put(key, image.parts);
      assert(outcome === "stored", "nobody else puts under a key with a nonce");
    } finally {
      for (const run of image.parts.slice(0, -1)) this.#deps.buffers.giveBack(run);
    }
    return image.at(key, 0);
  }

  async #count(owner: SegmentOwner, parts: readonly ColdPart[]): Promise<void> {
    const { log, tiered } = owner;
    if (tiered.cold.packed.length > 0) tiered.packs.isChanged = true;
    for (const part of parts) tiered.cold.addSegment(part);
    // The start may have moved while they were stored.
    if (log.logStartOffset > (parts[0]?.baseOffset ?? 0)) await tiered.cutStart(log.logStartOffset);
  }

  /** True: the commit was made nevertheless, and its segments count. */
  async #afterFailure(owner: SegmentOwner, parts: readonly ColdPart[]): Promise<boolean> {
    if (parts.length === 0) return false;
    this.#unsettled.set(owner, parts);
    try {
      return await this.#settle(owner, parts);
    } catch (error) {
      this.#deps.warn("what became of a commit of segments is asked before the next one", error);
      return false;
    }
  }

  async #settle(owner: SegmentOwner, parts: readonly ColdPart[]): Promise<boolean> {
    const { manifest, objects, warn } = this.#deps;
    const found = await manifest.segments(owner.tiered.at);
    this.#unsettled.delete(owner);
    const named = new Set(found.map(({ object }) => object));
    if (parts.every(({ object }) => named.has(object))) {
      await this.#count(owner, parts);
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

const nonceBytes = 8;
