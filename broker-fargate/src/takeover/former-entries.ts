import {
  assert,
  type Disk,
  type Epoch,
  type IncarnationId,
  Lanes,
  ObjectError,
} from "@millrace/core";
import type { Slot, Source, TopicId } from "@millrace/core";
import { FormerSpill, type Spilled } from "./former-spill.ts";
import { type FormerLimits, formerLimits } from "./limits.ts";

/** One append of a former owner, as its journal has it. */
export interface FormerEntry {
  readonly topicId: TopicId;
  readonly partition: number;
  readonly slot: Slot;
  readonly epoch: Epoch;
  readonly baseOffset: number;
  readonly lastOffset: number;
  /** Whole batches. Read from the disk each time, where memory had no room: throws DiskError then. */
  readonly records: Uint8Array;
}

/**
 * Reads a former owner's journal, which is closed or is being closed: `take` gets its entries of these
 * slots, in the order of their seqs, those of one object together. Rejects where an object of it is
 * missing, or a store does not answer.
 */
export type ReadFormerJournal = (
  incarnation: IncarnationId,
  slots: ReadonlySet<Slot>,
  take: (entries: readonly FormerEntry[]) => void,
) => Promise<void>;

export interface FormerPlace {
  readonly disk: Disk;
  readonly warn: (what: string, cause: unknown) => void;
  readonly limits?: FormerLimits;
}

export type FormerPartition = Pick<FormerEntry, "topicId" | "partition">;

/**
 * What the journals of former owners hold of this broker's slots, from the takeover until its own
 * checkpoints hold it. A journal is read once for the slots that are asked for together, and again
 * for those that are asked for later; each is bounded by what a journal may have that is not
 * trimmed. All of them together are bounded in memory: what is more lies on the disk meanwhile, in
 * files of this life, so that who takes over from many brokers at once needs no more memory.
 */
export class FormerEntries {
  readonly #read: ReadFormerJournal;
  readonly #limits: FormerLimits;
  readonly #reading: Lanes;
  readonly #spill: FormerSpill;
  readonly #slots = new Map<Slot, FormerSlot>();
  #memoryBytes = 0;
  #isClosed = false;

  constructor(read: ReadFormerJournal, place: FormerPlace) {
    this.#read = read;
    this.#limits = place.limits ?? formerLimits;
    this.#reading = new Lanes(this.#limits.journalReadsAtOnceMax);
    const { disk, warn } = place;
    const { spillFileBytesMax: fileBytesMax } = this.#limits;
    this.#spill = new FormerSpill({ disk, folder: "former", fileBytesMax, warn });
  }

  /** Of records, about. */
  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  get diskBytes(): number {
    return this.#spill.bytes;
  }

  /** Resolves when what the journal has of the slots is here. Rejects as its reading does. */
  async load(incarnation: IncarnationId, slots: readonly Slot[]): Promise<void> {
    const missing = slots.filter((slot) => !this.#of(slot).loaded.has(incarnation));
    if (missing.length > 0) {
      const wanted = new Map(missing.map((slot) => [slot, this.#of(slot)]));
      const reading = this.#reading.run(() => this.#readAll(incarnation, wanted));
      for (const slot of missing) {
        const { loaded } = this.#of(slot);
        loaded.set(incarnation, reading);
        reading.catch(() => loaded.delete(incarnation));
      }
    }
    // All of them in this turn: one that fails is gone from the slot when another one is over.
    const readings = slots.map((slot) => {
      const reading = this.#of(slot).loaded.get(incarnation);
      assert(reading !== undefined, "what was missing is being read");
      return reading;
    });
    await Promise.all(readings);
  }

  /**
   * The slot is open, with these sources. What was read of other incarnations on the way there, or
   * still is, is not kept: they were its sources no more when it was claimed.
   */
  opened(slot: Slot, sources: readonly Source[]): void {
    const former = this.#slots.get(slot);
    if (former === undefined) return;
    former.wanted = new Set(sources.map(({ incarnation }) => incarnation));
    for (const [key, all] of former.entries) {
      const wanted = all.filter((kept) => former.wanted?.has(kept.incarnation) === true);
      for (const kept of all) if (!wanted.includes(kept)) this.#drop(kept);
      if (wanted.length > 0) former.entries.set(key, wanted);
      else former.entries.delete(key);
    }
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
      .map((kept) => this.#entryOf(kept));
  }

  /** The slot's partitions that have entries. */
  partitionsOf(slot: Slot): readonly FormerPartition[] {
    const all = this.#slots.get(slot)?.entries.values() ?? [];
    return [...all].flatMap(([first]) => (first === undefined ? [] : [first.entry]));
  }

  /** The object store has what they tell of the partition. Whether that was the slot's last one. */
  covered(at: FormerPartition & { readonly slot: Slot }): boolean {
    const entries = this.#slots.get(at.slot)?.entries;
    const covered = entries?.get(keyOf(at));
    if (entries === undefined || covered === undefined) return false;
    // Before they are dropped: each is dropped once, whatever comes of that.
    entries.delete(keyOf(at));
    for (const kept of covered) this.#drop(kept);
    return entries.size === 0;
  }

  /** The slot is copied, or another's: nobody asks for its entries any more. */
  forget(slot: Slot): void {
    const forgotten = this.#slots.get(slot)?.entries.values() ?? [];
    this.#slots.delete(slot);
    for (const all of forgotten) {
      for (const kept of all) this.#drop(kept);
    }
  }

  /**
   * This life ends: nothing more is read. Whoever still loads a partition fails with DiskError where it
   * lies there.
   */
  close(): void {
    this.#isClosed = true;
    this.#spill.close();
  }

  #of(slot: Slot): FormerSlot {
    const before = this.#slots.get(slot);
    if (before !== undefined) return before;
    const former: FormerSlot = { loaded: new Map(), entries: new Map() };
    this.#slots.set(slot, former);
    return former;
  }

  async #readAll(incarnation: IncarnationId, wanted: ReadonlyMap<Slot, FormerSlot>): Promise<void> {
    const found: KeptEntry[] = [];
    try {
      this.#assertOpen();
      await this.#read(incarnation, new Set(wanted.keys()), (entries) => {
        this.#assertOpen();
        for (const kept of this.#kept(incarnation, entries)) found.push(kept);
      });
    } catch (error) {
      for (const kept of found) this.#drop(kept);
      throw error;
    }
    for (const kept of found) {
      const { slot } = kept.entry;
      const former = this.#slots.get(slot);
      // Forgotten while it was read: who asks again has it read again.
      const isWanted = former === wanted.get(slot) && former?.wanted?.has(incarnation) !== false;
      if (isWanted) this.#keep(kept);
      else this.#drop(kept);
    }
  }

  #assertOpen(): void {
    if (!this.#isClosed) return;
    throw new ObjectError("this life has ended", { retriable: false, applied: "no" });
  }

  /** Those of one object, in memory or on the disk. Throws DiskError. */
  #kept(incarnation: IncarnationId, entries: readonly FormerEntry[]): readonly KeptEntry[] {
    const records = entries.map((entry) => entry.records);
    const bytes = records.reduce((sum, { length }) => sum + length, 0);
    const isRoom = this.#memoryBytes + bytes <= this.#limits.memoryBytesMax;
    if (isRoom) this.#memoryBytes += bytes;
    const places = isRoom ? records : this.#spill.keep(records);
    return entries.map((entry, at) => {
      return { incarnation, entry: told(entry), place: places[at] ?? new Uint8Array() };
    });
  }

  #entryOf({ entry, place }: KeptEntry): FormerEntry {
    const spill = this.#spill;
    return {
      ...entry,
      get records() {
        return place instanceof Uint8Array ? place : spill.read(place);
      },
    };
  }

  #drop({ place }: KeptEntry): void {
    if (place instanceof Uint8Array) this.#memoryBytes -= place.length;
    else this.#spill.drop(place);
  }

  #keep(kept: KeptEntry): void {
    const { entries } = this.#of(kept.entry.slot);
    const key = keyOf(kept.entry);
    const before = entries.get(key);
    if (before === undefined) entries.set(key, [kept]);
    else before.push(kept);
  }
}

interface KeptEntry {
  readonly incarnation: IncarnationId;
  readonly entry: Omit<FormerEntry, "records">;
  /** Its records, or where they lie on the disk. */
  readonly place: Uint8Array | Spilled;
}

interface FormerSlot {
  /** By incarnation, when its journal's entries are here. */
  readonly loaded: Map<IncarnationId, Promise<void>>;
  /** Whose entries are kept, once the slot is open; before that of all that are read. */
  wanted?: ReadonlySet<IncarnationId>;
  /** By partition, of one journal after another, each in the order of its seqs. */
  readonly entries: Map<string, KeptEntry[]>;
}

function told(entry: FormerEntry): KeptEntry["entry"] {
  const { baseOffset, epoch, lastOffset, partition, slot, topicId } = entry;
  return { baseOffset, epoch, lastOffset, partition, slot, topicId };
}

function isOf({ entry, incarnation }: KeptEntry, source: Source): boolean {
  return incarnation === source.incarnation && entry.epoch === source.epoch;
}

function keyOf({ partition, topicId }: FormerPartition): string {
  return `${topicId}-${partition}`;
}
