import { assert } from "../assert.ts";
import type { LeaderEpochStart } from "../log/leader-epochs.ts";
import type { ColdPart } from "./cold-part.ts";

/**
 * What the object store holds of one partition: cold segments, then packed parts, in the order of
 * offsets and without a gap. Only what is registered is in it, so that nothing here can be lost.
 *
 * A packed part that a segment covers has been superseded. One that a segment covers in part stays,
 * and is read from where the segment ends.
 */
export class ColdLog {
  #segments: readonly ColdPart[];
  #packed: readonly ColdPart[];
  /** The log start: parts below are gone for good. */
  #cutTo = 0;

  /** Both in order; what is superseded among `packed` is left out. */
  constructor(segments: readonly ColdPart[], packed: readonly ColdPart[]) {
    this.#segments = segments;
    this.#packed = packed;
    assertFollows(segments);
    this.#dropSuperseded();
  }

  get segments(): readonly ColdPart[] {
    return this.#segments;
  }

  get packed(): readonly ColdPart[] {
    return this.#packed;
  }

  get isEmpty(): boolean {
    return this.#segments.length === 0 && this.#packed.length === 0;
  }

  /** Where its first part begins; undefined for an empty one. */
  get startOffset(): number | undefined {
    return (this.#segments[0] ?? this.#packed[0])?.baseOffset;
  }

  /** Everything from its start up to here is in the object store; undefined for an empty one. */
  get endOffset(): number | undefined {
    return (this.#packed.at(-1) ?? this.#segments.at(-1))?.nextOffset;
  }

  /** Where its segments end; for one without any, where it begins. */
  get segmentsEnd(): number | undefined {
    return this.#segments.at(-1)?.nextOffset ?? this.#packed[0]?.baseOffset;
  }

  /**
   * Where its clean part ends: the run of cleaned segments that it begins with. Undefined for an
   * empty one.
   */
  get cleanedTo(): number | undefined {
    const dirty = this.#segments.find(({ isCleaned }) => isCleaned !== true);
    return dirty?.baseOffset ?? this.segmentsEnd;
  }

  /** Of all batches. */
  get batchesBytes(): number {
    let bytes = 0;
    for (const part of this.#segments) bytes += part.batchesBytes;
    for (const part of this.#packed) bytes += part.batchesBytes;
    return bytes;
  }

  /** The first part that ends above `offset`. */
  find(offset: number): ColdPart | undefined {
    return firstEndingAbove(this.#segments, offset) ?? firstEndingAbove(this.#packed, offset);
  }

  /** All parts in order. */
  *parts(): IterableIterator<ColdPart> {
    yield* this.#segments;
    yield* this.#packed;
  }

  /** Adds a segment that begins where the segments end, and drops the packed parts it covers. */
  addSegment(part: ColdPart): void {
    const end = this.#segments.at(-1)?.nextOffset;
    assert(end === undefined || part.baseOffset === end, "a cold segment begins where they end");
    this.#segments = [...this.#segments, part];
    this.#dropSuperseded();
  }

  /** The packed parts with `part` in the place of those that begin at or above its base offset. */
  packedWith(part: ColdPart): readonly ColdPart[] {
    const kept = this.#packed.filter(({ baseOffset }) => baseOffset < part.baseOffset);
    const end = kept.at(-1)?.nextOffset ?? this.#segments.at(-1)?.nextOffset;
    assert(end === undefined || part.baseOffset <= end, "a packed part leaves no gap");
    return [...kept, part];
  }

  /** These are the packed parts now; what the start has passed meanwhile stays out. */
  replacePacked(packed: readonly ColdPart[]): void {
    this.#packed = packed.filter(({ nextOffset }) => nextOffset > this.#cutTo);
    this.#dropSuperseded();
  }

  /** Whether all of these are parts of it, as they are. */
  has(parts: readonly ColdPart[]): boolean {
    const present = new Set(this.parts());
    return parts.every((part) => present.has(part));
  }

  /** Whether segments may take the place of the parts: these are there, and no others are met. */
  mayReplace(parts: readonly ColdPart[], by: readonly ColdPart[]): boolean {
    const [from = 0, to = 0] = [by[0]?.baseOffset, by.at(-1)?.nextOffset];
    const isBeside = (part: ColdPart): boolean => part.nextOffset <= from || part.baseOffset >= to;
    const others = this.#segments.filter((part) => !parts.includes(part));
    return this.has(parts) && others.every(isBeside);
  }

  /**
   * Puts segments in the place of neighbouring parts, of which the start may have passed some since
   * `mayReplace`; the segments cover the same offsets. Returns those that stay out, because the
   * start has passed them.
   */
  replace(parts: readonly ColdPart[], by: readonly ColdPart[]): readonly ColdPart[] {
    const [from, to] = [by[0]?.baseOffset, by.at(-1)?.nextOffset];
    assert(from !== undefined && to !== undefined, "a part is replaced by something");
    const old = new Set(parts);
    const isKept = (part: ColdPart): boolean => !old.has(part);
    const before = this.#segments.filter((part) => isKept(part) && part.nextOffset <= from);
    const after = this.#segments.filter((part) => isKept(part) && part.baseOffset >= to);
    const isPassed = ({ nextOffset }: ColdPart): boolean => nextOffset <= this.#cutTo;
    this.#segments = [...before, ...by.filter((part) => !isPassed(part)), ...after];
    assertFollows(this.#segments);
    this.#packed = this.#packed.filter(isKept);
    this.#dropSuperseded();
    return by.filter(isPassed);
  }

  /** Removes the parts that end at or before `offset`, and returns them. */
  cutStart(offset: number): readonly ColdPart[] {
    this.#cutTo = Math.max(this.#cutTo, offset);
    const isGone = ({ nextOffset }: ColdPart): boolean => nextOffset <= this.#cutTo;
    const gone = [...this.#segments.filter(isGone), ...this.#packed.filter(isGone)];
    this.#segments = this.#segments.filter((part) => !isGone(part));
    this.#packed = this.#packed.filter((part) => !isGone(part));
    return gone;
  }

  /** Removes all parts, and returns them; others may come at the same offsets. */
  removeAll(): readonly ColdPart[] {
    const gone = [...this.parts()];
    this.#segments = [];
    this.#packed = [];
    return gone;
  }

  /** The history of leader epochs, oldest first. */
  leaderEpochs(): readonly LeaderEpochStart[] {
    const history: LeaderEpochStart[] = [];
    for (const { leaderEpochs } of this.parts()) {
      for (const start of leaderEpochs) {
        if (start.epoch > (history.at(-1)?.epoch ?? -1)) history.push(start);
      }
    }
    return history;
  }

  #dropSuperseded(): void {
    const end = this.#segments.at(-1)?.nextOffset;
    if (end === undefined) return;
    this.#packed = this.#packed.filter(({ nextOffset }) => nextOffset > end);
  }
}

function assertFollows(parts: readonly ColdPart[]): void {
  let end: number | undefined;
  for (const { baseOffset, nextOffset } of parts) {
    assert(end === undefined || baseOffset === end, "a part begins where the one before ends");
    assert(nextOffset > baseOffset, "a part has offsets");
    end = nextOffset;
  }
}

function firstEndingAbove(parts: readonly ColdPart[], offset: number): ColdPart | undefined {
  let low = 0;
  let high = parts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((parts[middle]?.nextOffset ?? 0) <= offset) low = middle + 1;
    else high = middle;
  }
  return parts[low];
}
