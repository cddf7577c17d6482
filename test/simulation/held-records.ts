import {
  type CheckpointName,
  type Item,
  type ItemValue,
  keys,
  readHead,
  readJournalItem,
  type Slot,
  type Source,
  type TopicId,
} from "@millrace/core";
import {
  type CheckpointIndex,
  crc32c,
  decodeCheckpointIndex,
  decodeSlotSection,
  type SlotSection,
} from "@millrace/wire";
import type { PartitionRef } from "./client.ts";
import { type HeldRange, type MirroredJournal } from "./journal-mirror.ts";

/** What the stores have, as it is kept beside them. */
export interface MirroredStores {
  readonly items: ReadonlyMap<string, ItemValue>;
  /** The manifest's, by what their keys have before the offset. */
  readonly segments: ReadonlyMap<string, ReadonlyMap<string, ItemValue>>;
  readonly journals: ReadonlyMap<string, MirroredJournal>;
  readonly bytesOf: (key: string) => Uint8Array | undefined;
  /** The first part of all keys of objects. */
  readonly clusterId: () => string;
}

/** Where the stores hold records of a partition, for whoever opens its slot next. */
export class HeldRecords {
  readonly #stores: MirroredStores;
  /** By the object's key and the section's place in it. */
  readonly #sections = new Map<string, SlotSection | undefined>();
  /** By the object itself, which never changes. */
  readonly #indexes = new WeakMap<Uint8Array, CheckpointIndex>();

  constructor(stores: MirroredStores) {
    this.#stores = stores;
  }

  /** The first offset from `start` on that nothing holds. */
  endOf(ref: PartitionRef, slot: Slot, start: number): number {
    const ranges = [...this.#segments(ref, slot), ...this.#ofHead(ref, slot)];
    ranges.sort((left, right) => left.from - right.from);
    const stored = this.#stores.items.get(
      keys.partition(slot, ref.topicId as TopicId, ref.partition),
    );
    // It is stored first; whoever deletes what is below it may not have shown it yet.
    let end = Math.max(start, Number(stored?.["startOffset"] ?? 0));
    for (const { from, to } of ranges) if (from <= end) end = Math.max(end, to);
    return end;
  }

  #segments({ partition, topicId }: PartitionRef, slot: Slot): HeldRange[] {
    const folder = `${keys.slot(slot)}/segment/${topicId}/${partition}`;
    const found: HeldRange[] = [];
    for (const [key, value] of this.#stores.segments.get(folder) ?? []) {
      const { object } = value;
      if (typeof object !== "string") continue;
      if (this.#stores.bytesOf(object) === undefined) continue;
      found.push({ from: Number(key.slice(folder.length + 1)), to: Number(value["nextOffset"]) });
    }
    return found;
  }

  #ofHead(ref: PartitionRef, slot: Slot): HeldRange[] {
    const head = this.#item(keys.head(slot));
    if (head === undefined) return [];
    const { epoch, owner, sources } = readHead(head);
    const all: Source[] = [...sources];
    if (owner !== undefined) all.push({ incarnation: owner, epoch });
    return all.flatMap((source) => this.#ofSource(source, ref, slot));
  }

  #ofSource(source: Source, ref: PartitionRef, slot: Slot): HeldRange[] {
    const item = this.#item(keys.incarnation(source.incarnation));
    if (item === undefined) return [];
    const { checkpoint, end, trim } = readJournalItem(item);
    const found: HeldRange[] = [];
    const journal = this.#stores.journals.get(source.incarnation);
    // Of what was released its journal has nothing more.
    const replayedTo = source.released === true ? trim : (end ?? journal?.end ?? 0);
    for (let seq = trim; seq < replayedTo; seq += 1) {
      if (journal === undefined || journal.isDeleted(seq)) break;
      for (const entry of journal.entriesAt(seq)) {
        const isSame = entry.topicId === ref.topicId && entry.partition === ref.partition;
        if (isSame && entry.epoch === source.epoch) found.push(entry);
      }
    }
    return checkpoint === undefined
      ? found
      : [...found, ...this.#packed(source, { checkpoint, ref, slot })];
  }

  #packed(
    source: Source,
    at: { readonly checkpoint: CheckpointName; readonly ref: PartitionRef; readonly slot: Slot },
  ): HeldRange[] {
    const { checkpoint, ref, slot } = at;
    const section = this.#section(source, checkpoint, slot);
    const packed = section?.partitions.find(({ partition, topicId }) => {
      return partition === ref.partition && topicId === ref.topicId;
    });
    return (packed?.parts ?? [])
      .filter((part) => this.#bytesOf(source, part.checkpoint) !== undefined)
      .map(({ baseOffset, nextOffset }) => ({ from: baseOffset, to: nextOffset }));
  }

  /** Only one of the source's own epoch counts. */
  #section(source: Source, { bytes, number }: CheckpointName, slot: Slot): SlotSection | undefined {
    const newest = this.#bytesOf(source, number);
    if (newest === undefined) return undefined;
    const line = this.#indexOf(newest, bytes)?.slots.find((one) => {
      return one.slot === slot && one.epoch === source.epoch;
    });
    if (line === undefined) return undefined;
    const name = `${source.incarnation} ${line.checkpoint} ${line.position}`;
    if (this.#sections.has(name)) return this.#sections.get(name);
    const there = this.#bytesOf(source, line.checkpoint);
    const end = line.position + line.bytes;
    const found = there && decodeSlotSection(there.subarray(line.position, end), line, crc32c);
    const section = found?.kind === "ok" ? found.section : undefined;
    if (section !== undefined) this.#sections.set(name, section);
    return section;
  }

  #indexOf(object: Uint8Array, objectBytes: number): CheckpointIndex | undefined {
    const known = this.#indexes.get(object);
    if (known !== undefined) return known;
    const decoded = decodeCheckpointIndex(object, { objectBytes, crc32c });
    if (decoded.kind !== "ok") return undefined;
    this.#indexes.set(object, decoded.index);
    return decoded.index;
  }

  #bytesOf({ incarnation }: Source, checkpoint: number): Uint8Array | undefined {
    const number = String(checkpoint).padStart(20, "0");
    return this.#stores.bytesOf(`${this.#stores.clusterId()}/checkpoint/${incarnation}/${number}`);
  }

  #item(key: string): Item | undefined {
    const value = this.#stores.items.get(key);
    return value && { key, version: 0, value };
  }
}
