import type { Epoch, IncarnationId, Slot, Source, TopicId } from "@millrace/core";

/** One append of a former owner, as its journal has it. */
export interface FormerEntry {
  readonly topicId: TopicId;
  readonly partition: number;
  readonly slot: Slot;
  readonly epoch: Epoch;
  readonly baseOffset: number;
  readonly lastOffset: number;
  /** Whole batches. */
  readonly records: Uint8Array;
}

/**
 * Reads a closed incarnation's journal: `take` gets its entries of these slots, in the order of
 * their seqs. Rejects where an object of it is missing, or the object store does not answer.
 */
export type ReadFormerJournal = (
  incarnation: IncarnationId,
  slots: ReadonlySet<Slot>,
  take: (entry: FormerEntry) => void,
) => Promise<void>;

export type FormerPartition = Pick<FormerEntry, "topicId" | "partition">;

/**
 * What the journals of former owners hold of this broker's slots: in memory from the takeover until
 * its own checkpoints hold it, bounded by what a journal may have that is not trimmed. A journal is
 * read once for the slots that are asked for together, and again for those that are asked for later.
 */
export class FormerEntries {
  readonly #read: ReadFormerJournal;
  readonly #slots = new Map<Slot, FormerSlot>();

  constructor(read: ReadFormerJournal) {
    this.#read = read;
  }

  /** Resolves when what the journal has of the slots is here. Rejects as its reading does. */
  async load(incarnation: IncarnationId, slots: readonly Slot[]): Promise<void> {
    const missing = slots.filter((slot) => !this.#of(slot).loaded.has(incarnation));
    if (missing.length > 0) {
      const wanted = new Set(missing);
      const found: FormerEntry[] = [];
      const reading = this.#read(incarnation, wanted, (entry) => found.push(entry)).then(() => {
        for (const entry of found) this.#keep(incarnation, entry);
      });
      for (const slot of missing) {
        const { loaded } = this.#of(slot);
        loaded.set(incarnation, reading);
        reading.catch(() => loaded.delete(incarnation));
      }
    }
    for (const slot of slots) await this.#of(slot).loaded.get(incarnation);
  }

  /**
   * The partition's entries as its slot's sources tell them, the oldest epoch first. Of a source
   * only the entries of its own epoch count: its incarnation may have had the slot before, too, and
   * handed it over, which leaves nothing in its journal that counts.
   */
  entriesOf(
    at: FormerPartition & { readonly slot: Slot },
    sources: readonly Source[],
  ): readonly FormerEntry[] {
    const entries = this.#slots.get(at.slot)?.entries.get(keyOf(at)) ?? [];
    return sources
      .filter(({ released }) => released !== true)
      .toSorted((a, b) => a.epoch - b.epoch)
      .flatMap((source) => entries.filter((kept) => isOf(kept, source)))
      .map(({ entry }) => entry);
  }

  /** The slot's partitions that have entries. */
  partitionsOf(slot: Slot): readonly FormerPartition[] {
    const all = this.#slots.get(slot)?.entries.values() ?? [];
    return [...all].flatMap(([first]) => (first === undefined ? [] : [first.entry]));
  }

  /** The object store has what they tell of the partition. Whether that was the slot's last one. */
  covered(at: FormerPartition & { readonly slot: Slot }): boolean {
    const former = this.#slots.get(at.slot);
    return former?.entries.delete(keyOf(at)) === true && former.entries.size === 0;
  }

  /** The slot is copied, or another's: nobody asks for its entries any more. */
  forget(slot: Slot): void {
    this.#slots.delete(slot);
  }

  #of(slot: Slot): FormerSlot {
    const before = this.#slots.get(slot);
    if (before !== undefined) return before;
    const former: FormerSlot = { loaded: new Map(), entries: new Map() };
    this.#slots.set(slot, former);
    return former;
  }

  #keep(incarnation: IncarnationId, entry: FormerEntry): void {
    const { entries } = this.#of(entry.slot);
    const key = keyOf(entry);
    const before = entries.get(key);
    if (before === undefined) entries.set(key, [{ incarnation, entry }]);
    else before.push({ incarnation, entry });
  }
}

interface KeptEntry {
  readonly incarnation: IncarnationId;
  readonly entry: FormerEntry;
}

interface FormerSlot {
  /** By incarnation, when its journal's entries are here. */
  readonly loaded: Map<IncarnationId, Promise<void>>;
  /** By partition, of one journal after another, each in the order of its seqs. */
  readonly entries: Map<string, KeptEntry[]>;
}

function isOf({ entry, incarnation }: KeptEntry, source: Source): boolean {
  return incarnation === source.incarnation && entry.epoch === source.epoch;
}

function keyOf({ partition, topicId }: FormerPartition): string {
  return `${topicId}-${partition}`;
}
