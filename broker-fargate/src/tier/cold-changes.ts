import { Lanes, ObjectError } from "@millrace/core";
import type { ColdLog, ColdPart, Random } from "@millrace/core";
import { hexOf } from "../cluster/open-cluster.ts";
import { FencedError } from "../cluster/slot-claims.ts";
import type { MarkedPartition } from "../partition/partition-items.ts";
import { isStoreError } from "../partition/store-error.ts";
import type { WrittenImage } from "./image-writer.ts";
import type { ManifestItems } from "./manifest-items.ts";
import type { ObjectAccess } from "./object-access.ts";
import { segmentKey } from "./object-keys.ts";

export interface ColdChangesDeps {
  readonly objects: ObjectAccess;
  readonly manifest: ManifestItems;
  readonly random: Random;
  readonly clusterId: string;
  /** Parts left the cold log, by a cut or a replacement; `packed`: some of them lay in a pack. */
  readonly onGone: (were: "segments" | "packed") => void;
  readonly warn: (what: string, cause: unknown) => void;
  /** Runs it after a pause. */
  readonly later: (run: () => void) => void;
}

/**
 * Changes of what the manifest says of one partition: segments that come at the end, segments that
 * take the place of others, segments below a start that is stored. One after another, so that the
 * manifest never has a gap or an overlap, whatever comes while one is under way.
 *
 * Of a commit that failed nobody may know whether it was made, or will be: who made it leaves word
 * how to find out (`mustSettle`), when it can't be made any more, and nothing else is changed before that is known. It is found out soon, though
 * nothing else may be to be changed: if the commit was made, a sweep deletes what it replaced, and
 * readers would look for that for ever.
 *
 * Not serialised: packed parts, which no manifest item names, and the start of the cold log, which
 * a cut moves at once.
 */
export class ColdChanges {
  readonly #at: MarkedPartition;
  readonly #cold: ColdLog;
  readonly #deps: ColdChangesDeps;
  /** Segments below the start that the manifest may still name, and nobody reads. */
  readonly #left: Set<ColdPart>;
  readonly #lane = new Lanes(1);
  #settle: (() => Promise<void>) | undefined;
  #isSettlingSoon = false;
  #isClosed = false;

  constructor(
    of: { readonly at: MarkedPartition; readonly cold: ColdLog; readonly left: Set<ColdPart> },
    deps: ColdChangesDeps,
  ) {
    this.#at = of.at;
    this.#cold = of.cold;
    this.#left = of.left;
    this.#deps = deps;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The partition is over: resolves when no change is under way. None comes after. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#lane.run(() => Promise.resolve());
  }

  /**
   * Runs a change when those before it are over and what became of them is known; `closed`: it does
   * not any more. Rejects as the change does, or as finding out does.
   */
  run<Result>(change: () => Promise<Result>): Promise<Result | "closed"> {
    return this.#lane.run(async () => {
      if (this.#isClosed) return "closed";
      await this.#settle?.();
      this.#settle = undefined;
      return change();
    });
  }

  /** To be called within a change. `settle` rejects while it can't be found out. */
  mustSettle(settle: () => Promise<void>): void {
    this.#settle = settle;
    this.#settleSoon();
  }

  #settleSoon(): void {
    if (this.#isSettlingSoon) return;
    this.#isSettlingSoon = true;
    this.#deps.later(() => {
      this.#isSettlingSoon = false;
      if (this.#isClosed || this.#settle === undefined) return;
      this.settled().catch((error: unknown) => {
        if (isStoreError(error)) this.#settleSoon();
        // Another owner's by now: it has read the manifest itself.
        else if (!(error instanceof FencedError)) throw error;
      });
    });
  }

  /** Removes the parts that end at or before `offset`, which is stored, with their objects. */
  async cutStart(offset: number): Promise<void> {
    const gone = this.#cold.cutStart(offset);
    for (const part of gone) if (isSegment(part)) this.#left.add(part);
    if (gone.length > 0) this.#told(gone);
    await this.run(() => this.#deleteLeft(offset));
  }

  /** Whether it is not known what became of the last change, or not all of it was done. */
  get isUnsettled(): boolean {
    return this.#settle !== undefined;
  }

  /** Resolves when that is known, and done. Rejects as `run` does. */
  async settled(): Promise<void> {
    await this.run(() => Promise.resolve());
  }

  /**
   * Removes all parts; the log's start is stored where the hot log begins. Names go before objects,
   * the newest first, unlike in a cut: what is still named after a death is then whole, and has no
   * gap before it. Rejects as a cut does: then nothing else is changed before the rest is gone, which
   * other segments would overlap.
   */
  async removeAll(): Promise<void> {
    await this.run(async () => {
      const gone = this.#cold.removeAll();
      for (const part of gone) if (isSegment(part)) this.#left.add(part);
      if (gone.length > 0) this.#told(gone);
      this.mustSettle(() => this.#removeLeft());
      await this.#removeLeft();
      this.#settle = undefined;
    });
  }

  async #removeLeft(): Promise<void> {
    const segments = [...this.#left].sort((a, b) => b.baseOffset - a.baseOffset);
    await this.#deps.manifest.remove(this.#at, segments);
    this.#left.clear();
    await this.#drop(segments);
  }

  /**
   * Stores an image as an object of its own. Rejects with ObjectError, which is retriable where the
   * object went between two tries: another owner's sweep took it for one that nobody names.
   */
  async put(image: WrittenImage): Promise<ColdPart> {
    const { clusterId, objects, random } = this.#deps;
    const { openSlot, partition, slot, topicId } = this.#at;
    const { baseOffset } = image.at("", 0);
    const nonce = hexOf(random.bytes(nonceBytes));
    const name = { topicId, partition, baseOffset, slot, epoch: openSlot.epoch, nonce };
    const key = segmentKey(clusterId, name);
    const outcome = await objects.put(key, image.parts);
    if (outcome === "foreign") {
      throw new ObjectError(`${key} was deleted while it was stored`, goneMeanwhile);
    }
    return image.at(key, 0);
  }

  /**
   * Puts segments, which are stored, in the place of neighbouring parts, and deletes the objects of
   * those. `gone`: some part was replaced, or passed by the start, meanwhile; what was stored is
   * deleted. Rejects with MetadataError, FencedError or ObjectError: then nobody may know yet which
   * of them count, and a sweep finds the others.
   */
  async replace(parts: readonly ColdPart[], by: readonly ColdPart[]): Promise<"replaced" | "gone"> {
    const outcome = await this.run(() => this.#replace(parts, by));
    if (outcome === "replaced") return outcome;
    await this.#drop(by.filter((part) => !isAmong(parts, part)));
    return "gone";
  }

  async #replace(
    parts: readonly ColdPart[],
    by: readonly ColdPart[],
  ): Promise<"replaced" | "gone"> {
    if (!this.#cold.mayReplace(parts, by)) return "gone";
    try {
      await this.#deps.manifest.replace(this.#at, parts.filter(isSegment), by);
    } catch (error) {
      const settle = async (): Promise<void> => {
        const found = await this.#deps.manifest.settledSegments(this.#at);
        const isMade = by.every((part) => found.some((named) => isSame(named, part)));
        if (isMade) await this.#count(parts, by);
      };
      this.mustSettle(settle);
      throw error;
    }
    await this.#count(parts, by);
    return "replaced";
  }

  /** The manifest names the new ones. */
  async #count(parts: readonly ColdPart[], by: readonly ColdPart[]): Promise<void> {
    const passed = this.#cold.replace(parts, by);
    // What the start has passed meanwhile: its item is the new one's, or gone.
    for (const part of parts) this.#left.delete(part);
    for (const part of passed) this.#left.add(part);
    this.#told(parts);
    await this.#drop(parts.filter((part) => isSegment(part) && !isAmong(by, part)));
  }

  #told(gone: readonly ColdPart[]): void {
    this.#deps.onGone(gone.every(isSegment) ? "segments" : "packed");
  }

  async #deleteLeft(offset: number): Promise<void> {
    const segments = [...this.#left].filter(({ nextOffset }) => nextOffset <= offset);
    if (segments.length === 0) return;
    await this.#deps.objects.delete(segments.map(({ object }) => object));
    await this.#deps.manifest.remove(this.#at, segments);
    for (const part of segments) this.#left.delete(part);
  }

  /** Nobody names their objects any more. */
  async #drop(parts: readonly ColdPart[]): Promise<void> {
    if (parts.length === 0) return;
    try {
      await this.#deps.objects.delete(parts.map(({ object }) => object));
    } catch (error) {
      this.#deps.warn("objects that were replaced are left for the next sweep", error);
    }
  }
}

const nonceBytes = 8;
/** Under another nonce it may do. Whether the slot has another owner the manifest's write says. */
const goneMeanwhile = { retriable: true, applied: "no" } as const;

/** Packed parts go with the checkpoint that holds them, once no section names them. */
export function isSegment({ object, position }: ColdPart): boolean {
  return position === 0 && object.includes("/data/");
}

function isAmong(parts: readonly ColdPart[], { object }: ColdPart): boolean {
  return parts.some((part) => part.object === object);
}

function isSame(one: ColdPart, other: ColdPart): boolean {
  const isCleaned = (one.isCleaned ?? false) === (other.isCleaned ?? false);
  return one.object === other.object && isCleaned && one.nextOffset === other.nextOffset;
}
