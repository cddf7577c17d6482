import { planRound } from "@millrace/core";
import type { TopicSettings } from "@millrace/core";
import type { TierLimits } from "./limits.ts";
import { bytesOf } from "./tiered-partition.ts";
import type { TieredPartition } from "./tiered-partition.ts";
import { readCostBytes } from "./upload-pace.ts";

export interface DirtyOwner {
  readonly settings: TopicSettings;
  readonly isOver: boolean;
  readonly tiered: TieredPartition;
}

/** What no round has taken of one partition. */
export interface DirtyTail<Owner> {
  readonly owner: Owner;
  readonly newBytes: number;
  /** Monotonic time at which a round takes it, whatever its size. */
  readonly dueMs: number;
  /** Bytes journaled before its first one; infinite: the journal does not keep it. */
  readonly journaledBefore: number;
}

type CountedTail<Owner> = { -readonly [Key in keyof DirtyTail<Owner>]: DirtyTail<Owner>[Key] };

type DirtyLimits = Pick<
  TierLimits,
  "checkpointDueMs" | "coldSegmentBytesMin" | "leftJournalBytesMax" | "leftTailBytesMax"
>;

/**
 * Partitions with bytes that no cold part holds and no round has taken, each since when: what a
 * round leaves keeps its age, so that rounds that bytes began can't put it off for ever.
 *
 * The journal keeps every entry from the oldest tail's first one on. So what is left counts, too,
 * by how much has been journaled since, by whomever.
 */
export class DirtyTails<Owner extends DirtyOwner> {
  readonly #limits: DirtyLimits;
  #tails = new Map<Owner, CountedTail<Owner>>();
  #bytes = 0;
  #bytesSinceTaken = 0;
  #journaledBytes = 0;
  #dueMs = Number.POSITIVE_INFINITY;

  constructor(limits: DirtyLimits) {
    this.#limits = limits;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Of those, what came since a round last took any. */
  get bytesSinceTaken(): number {
    return this.#bytesSinceTaken;
  }

  /** Of those that are or were dirty: what the journal got of them since the start. */
  get journaledBytes(): number {
    return this.#journaledBytes;
  }

  get size(): number {
    return this.#tails.size;
  }

  /** When the first of them is due, monotonic; infinite: there is none. */
  get dueMs(): number {
    return this.#dueMs;
  }

  /** The partition's log grew by so many bytes; by none: it has some. */
  add(owner: Owner, bytes: number, nowMs: number): void {
    const isJournaled = owner.settings.durability === "journal";
    const journaledBefore = isJournaled ? this.#journaledBytes : Number.POSITIVE_INFINITY;
    const dueMs = nowMs + this.#limits.checkpointDueMs;
    this.#put({ owner, newBytes: bytes, dueMs, journaledBefore });
    this.#bytesSinceTaken += bytes;
    if (isJournaled) this.#journaledBytes += bytes;
  }

  /** A round took it and could not store it: it is due at `dueMs`. */
  putBack(tail: DirtyTail<Owner>, dueMs: number): void {
    this.#put({ ...tail, dueMs });
  }

  forget(owner: Owner): void {
    this.#bytes -= this.#tails.get(owner)?.newBytes ?? 0;
    this.#tails.delete(owner);
    // Else it may be too early now, for one round.
    if (this.#tails.size === 0) this.#dueMs = Number.POSITIVE_INFINITY;
  }

  takeAll(): readonly DirtyTail<Owner>[] {
    const taken = this.#alive();
    this.#bytesSinceTaken = 0;
    this.#keep([]);
    return taken;
  }

  /** Those of these owners; the others stay, due when they were. */
  takeOf(isWanted: (owner: Owner) => boolean): readonly DirtyTail<Owner>[] {
    const tails = this.#alive();
    this.#keep(tails.filter(({ owner }) => !isWanted(owner)));
    return tails.filter(({ owner }) => isWanted(owner));
  }

  /** The large ones; all, if one is due, or one that would be left keeps too much of the journal. */
  take(nowMs: number): readonly DirtyTail<Owner>[] {
    const tails = this.#alive();
    const { coldSegmentBytesMin, leftTailBytesMax } = this.#limits;
    if (nowMs >= this.#dueMs) return this.takeAll();
    const sized = tails.map((tail) => {
      const bytes = tail.newBytes + bytesOf(tail.owner.tiered.cold.packed);
      return { tail, bytes, newBytes: tail.newBytes };
    });
    const bounds = { segmentBytesMin: coldSegmentBytesMin, leftBytesMax: leftTailBytesMax };
    const taken = new Set(planRound(sized, bounds).map(({ tail }) => tail));
    const left = tails.filter((tail) => !taken.has(tail));
    if (left.some((tail) => this.#isHolding(tail))) return this.takeAll();
    this.#bytesSinceTaken = 0;
    this.#keep(left);
    return [...taken];
  }

  #isHolding({ journaledBefore }: DirtyTail<Owner>): boolean {
    return this.#journaledBytes - journaledBefore >= this.#limits.leftJournalBytesMax;
  }

  #alive(): readonly DirtyTail<Owner>[] {
    return [...this.#tails.values()].filter(({ owner }) => !owner.isOver);
  }

  #put(tail: DirtyTail<Owner>): void {
    this.#bytes += tail.newBytes;
    this.#dueMs = Math.min(this.#dueMs, tail.dueMs);
    const before = this.#tails.get(tail.owner);
    if (before === undefined) {
      this.#tails.set(tail.owner, { ...tail });
      return;
    }
    // In place: it is on every append's path.
    before.newBytes += tail.newBytes;
    before.dueMs = Math.min(before.dueMs, tail.dueMs);
    before.journaledBefore = Math.min(before.journaledBefore, tail.journaledBefore);
  }

  #keep(tails: readonly DirtyTail<Owner>[]): void {
    this.#tails = new Map();
    this.#bytes = 0;
    this.#dueMs = Number.POSITIVE_INFINITY;
    for (const tail of tails) this.#put(tail);
  }
}

/** Bytes journaled before the first of them; infinite: the journal keeps none. */
export function journaledBefore(tails: readonly DirtyTail<DirtyOwner>[]): number {
  return tails.reduce((least, tail) => Math.min(least, tail.journaledBefore), Infinity);
}

/**
 * At most, of what was appended since the broker started: a cold segment takes in what is packed
 * before it, a pack some of that. Asks no disk.
 */
export function bytesToRead(tails: readonly DirtyTail<DirtyOwner>[]): number {
  return tails.reduce((sum, { newBytes, owner }) => {
    return sum + readCostBytes + newBytes + bytesOf(owner.tiered.cold.packed);
  }, 0);
}
