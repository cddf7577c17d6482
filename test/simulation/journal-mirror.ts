import type { TopicId } from "@millrace/core";
import { crc32c, decodeFence, decodeJournalObject } from "@millrace/wire";

/** What of a partition lies somewhere: from the base offset up to, not including, the next one. */
export interface HeldRange {
  readonly from: number;
  readonly to: number;
}

export interface MirroredEntry extends HeldRange {
  readonly topicId: TopicId;
  readonly partition: number;
  readonly slot: number;
  readonly epoch: number;
}

/** The journal of one incarnation, as its objects have it, those that were deleted included. */
export class MirroredJournal {
  readonly #entries = new Map<number, readonly MirroredEntry[]>();
  readonly #deleted = new Set<number>();
  #fence: number | undefined;
  #end = 0;

  /** The seq of the first fence. */
  get fence(): number | undefined {
    return this.#fence;
  }

  /** After the last object that counts: the first gap or the fence. */
  get end(): number {
    return this.#end;
  }

  isDeleted(seq: number): boolean {
    return this.#deleted.has(seq);
  }

  /** Of one seq. */
  entriesAt(seq: number): readonly MirroredEntry[] {
    return this.#entries.get(seq) ?? [];
  }

  /** An object is there; those entries that count from now on, or why it is wrong. */
  stored(seq: number, bytes: Uint8Array): readonly MirroredEntry[] | string {
    if (decodeFence(bytes, crc32c).kind !== "invalid") {
      // Who stood still meanwhile finds a free place where an object had been: that says nothing.
      if (seq < (this.#fence ?? 0) && this.isDeleted(seq)) return [];
      if (this.#fence !== undefined) return `a fence at ${seq}, and one at ${this.#fence}`;
      if (seq !== this.#end) return `a fence at ${seq}, and objects up to ${this.#end}`;
      this.#fence = seq;
      return [];
    }
    const decoded = decodeJournalObject(bytes, crc32c);
    if (decoded.kind === "invalid") return `${seq} can't be read: ${decoded.reason}`;
    this.#entries.set(seq, decoded.object.entries.map(mirrored));
    return this.#advance();
  }

  deleted(seq: number): void {
    this.#deleted.add(seq);
  }

  #advance(): readonly MirroredEntry[] {
    const counting: MirroredEntry[] = [];
    for (; this.#end !== this.#fence && this.#entries.has(this.#end); this.#end += 1) {
      counting.push(...this.entriesAt(this.#end));
    }
    return counting;
  }
}

function mirrored(entry: {
  readonly topicId: TopicId;
  readonly partition: number;
  readonly slot: number;
  readonly epoch: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
}): MirroredEntry {
  const { baseOffset, epoch, lastOffset, partition, slot, topicId } = entry;
  return { topicId, partition, slot, epoch, from: baseOffset, to: lastOffset + 1 };
}
