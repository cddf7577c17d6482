import {
  type Head,
  type Item,
  type ItemValue,
  incarnationId,
  keys,
  readHead,
  readJournalItem,
  readLeadership,
  type Slot,
  slotOfPartition,
  type TopicId,
  type Write,
} from "@millrace/core";
import { nameOf, type PartitionRef } from "./client.ts";
import { keyKind, objectKind } from "./fault-table.ts";
import { HeldRecords } from "./held-records.ts";
import { type MirroredEntry, MirroredJournal } from "./journal-mirror.ts";
import type { StoreObserver } from "./observed-stores.ts";

interface Watched {
  readonly note: (what: string) => void;
  readonly slots: number;
  /** Topics that nobody asked to delete. */
  readonly partitions: () => readonly PartitionRef[];
  /** What of a partition was shown to readers, or acknowledged: its start and its end. */
  readonly shown: (ref: PartitionRef) => { readonly start: number; readonly end: number };
}

/**
 * What must hold of the stores after every write. Of each slot and epoch there is one owner, whose
 * epoch leadership gave to it alone; epochs only rise. An incarnation's item goes its way: nothing
 * but its state changes once it is not open, and its trim only rises. A head is taken only from an
 * owner whose journal is closed by a fence at its end. A journal has one fence, which stays. And
 * what was shown of a partition is always held by what its slot's head leads to: the manifest,
 * checkpoints, and journals between trim and end.
 */
export class StoreInvariants implements StoreObserver {
  readonly #watched: Watched;
  readonly #items = new Map<string, ItemValue>();
  readonly #heads = new Map<string, Head>();
  /** Manifest entries, by what their keys have before the offset. */
  readonly #segments = new Map<string, Map<string, ItemValue>>();
  /** What is really there. */
  readonly #objects = new Map<string, Uint8Array>();
  readonly #journals = new Map<string, MirroredJournal>();
  readonly #held: HeldRecords;
  /** By slot and epoch, and by epoch. */
  readonly #owners = new Map<string, string>();
  readonly #durableEnds = new Map<string, number>();
  /** Slots of which something was written, or deleted, since they were looked at. */
  readonly #touched = new Set<number>();
  #clusterId = "";

  constructor(watched: Watched) {
    this.#watched = watched;
    this.#held = new HeldRecords({
      items: this.#items,
      segments: this.#segments,
      journals: this.#journals,
      bytesOf: (key) => this.#objects.get(key),
      clusterId: () => this.#clusterId,
    });
  }

  /** What journals have of the partition in all; all that was ever acknowledged is below it. */
  durableEnd(ref: PartitionRef): number {
    return this.#durableEnds.get(nameOf(ref)) ?? 0;
  }

  /** Called at rest: what was shown is held. */
  check(): void {
    if (this.#touched.size === 0) return;
    const touched = new Set(this.#touched);
    this.#touched.clear();
    for (const ref of this.#watched.partitions()) {
      const slot = slotOfPartition(ref.topicId as TopicId, ref.partition, this.#watched.slots);
      if (!touched.has(slot)) continue;
      const { end, start } = this.#watched.shown(ref);
      const held = this.#held.endOf(ref, slot, start);
      if (held < end) {
        this.#note(`${nameOf(ref)}: ${end} was shown, and from ${held} on nothing holds it`);
      }
    }
  }

  written(writes: readonly Write[]): void {
    for (const write of writes) {
      const before = this.#items.get(write.key);
      if (write.kind === "put") {
        this.#put(write.key, { before, now: write.value });
        this.#items.set(write.key, write.value);
        this.#keep(write.key, write.value);
      } else if (write.kind === "delete") {
        this.#gone(write.key);
        this.#items.delete(write.key);
        this.#segments.get(folderOf(write.key))?.delete(write.key);
      }
    }
  }

  #keep(key: string, value: ItemValue): void {
    const kind = keyKind(key);
    if (kind === "head") this.#heads.set(key, readHead({ key, version: 0, value }));
    if (kind !== "segment") return;
    const folder = folderOf(key);
    const ofPartition = this.#segments.get(folder) ?? new Map<string, ItemValue>();
    this.#segments.set(folder, ofPartition.set(key, value));
  }

  stored(key: string, bytes: Uint8Array): void {
    const [cluster = "", kind, incarnation = "", seq] = key.split("/");
    this.#clusterId = cluster;
    this.#objects.set(key, bytes);
    if (kind !== "journal") return;
    const journal = this.#journals.get(incarnation) ?? new MirroredJournal();
    this.#journals.set(incarnation, journal);
    const counting = journal.stored(Number(seq), bytes);
    if (typeof counting === "string") this.#note(`journal ${incarnation}: ${counting}`);
    else for (const entry of counting) this.#raise(entry);
  }

  deleted(deletedKeys: readonly string[]): void {
    for (const key of deletedKeys) {
      this.#objects.delete(key);
      const [, , incarnation = "", last] = key.split("/");
      if (objectKind(key) === "journal") this.#journalObjectGone(incarnation, Number(last));
      if (objectKind(key) === "checkpoint") this.#touchAllOf(incarnation);
      if (objectKind(key) === "data") this.#touchAll();
    }
  }

  #raise({ partition, to, topicId }: MirroredEntry): void {
    const name = `${topicId}/${partition}`;
    this.#durableEnds.set(name, Math.max(to, this.#durableEnds.get(name) ?? 0));
  }

  #journalObjectGone(incarnation: string, seq: number): void {
    const journal = this.#journals.get(incarnation);
    if (journal === undefined) return;
    if (seq === journal.fence) this.#note(`the fence of ${incarnation} at ${seq} was deleted`);
    journal.deleted(seq);
    const item = this.#item(keys.incarnation(incarnationId(incarnation)));
    const isTrimmed = item === undefined || seq < readJournalItem(item).trim;
    if (!isTrimmed && this.#isNamed(incarnation)) {
      this.#note(`object ${seq} of journal ${incarnation} was deleted before it was trimmed`);
    }
    this.#touchAllOf(incarnation);
  }

  #put(key: string, change: { readonly before: ItemValue | undefined; now: ItemValue }): void {
    const kind = keyKind(key);
    const before = change.before && { key, version: 0, value: change.before };
    const now = { key, version: 0, value: change.now };
    if (kind === "head") this.#headWritten(before, now);
    if (kind === "incarnation") this.#incarnationWritten(before, now);
    if (kind === "leadership") this.#leadershipWritten(before, now);
    if (kind === "segment") this.#segmentNamed(now);
  }

  /** By the slot's owner, at its epoch. */
  #segmentNamed({ key, value }: Item): void {
    const slot = slotIn(key);
    this.#touched.add(slot);
    const head = this.#item(keys.head(slot));
    const epoch = head === undefined ? undefined : readHead(head).epoch;
    if (epoch !== value["epoch"]) {
      this.#note(
        `${key} was named at epoch ${JSON.stringify(value["epoch"])}, the head's is ${epoch}`,
      );
    }
  }

  #gone(key: string): void {
    const kind = keyKind(key);
    if (kind === "head" || kind === "leadership") this.#note(`${key} was deleted`);
    if (kind === "segment") this.#touched.add(slotIn(key));
    if (kind !== "incarnation") return;
    const incarnation = key.slice(key.indexOf("/") + 1);
    if (this.#isNamed(incarnation)) this.#note(`${key} was deleted, and a head names it`);
  }

  #headWritten(before: Item | undefined, now: Item): void {
    this.#touched.add(slotIn(now.key));
    const [was, is] = [before && readHead(before), readHead(now)];
    if (was !== undefined && is.epoch < was.epoch) {
      this.#note(`${now.key} went from epoch ${was.epoch} back to ${is.epoch}`);
    }
    if (is.owner === undefined) {
      const isRelease = was !== undefined && was.epoch === is.epoch;
      if (!isRelease) this.#note(`${now.key} lost its owner at another epoch than its own`);
      return;
    }
    this.#belongs(`${now.key} at epoch ${is.epoch}`, is.owner);
    this.#belongs(`epoch ${is.epoch}`, is.owner);
    if (was?.owner === is.owner && was.epoch === is.epoch) return;
    if (was !== undefined && was.epoch === is.epoch) {
      this.#note(`${now.key} was claimed twice at epoch ${is.epoch}`);
    }
    if (this.#stateOf(is.owner) !== "open") this.#note(`${now.key} was claimed by who is over`);
    if (was?.owner !== undefined && this.#stateOf(was.owner) !== "closed") {
      this.#note(`${now.key} was taken from ${was.owner}, whose journal is not closed`);
    }
  }

  #incarnationWritten(before: Item | undefined, now: Item): void {
    const is = readJournalItem(now);
    const was = before && readJournalItem(before);
    this.#touchAllOf(is.incarnation);
    if (was === undefined) {
      if (is.state !== "open" || is.trim !== 0) this.#note(`${now.key} was born ${is.state}`);
      return;
    }
    const isFrozen = was.state !== "open";
    const isSame = JSON.stringify(was.checkpoint) === JSON.stringify(is.checkpoint);
    if (is.trim < was.trim) this.#note(`the trim of ${now.key} fell`);
    if (isFrozen && (is.trim !== was.trim || !isSame)) {
      this.#note(`${now.key} is ${was.state}, and was changed`);
    }
    if (was.state === "closed" && (is.state !== "closed" || is.end !== was.end)) {
      this.#note(`${now.key} was closed at ${was.end}, and is ${is.state} at ${is.end}`);
    }
    if (was.state === "closing" && is.state === "open") this.#note(`${now.key} was opened again`);
    if (was.state === "closing" && is.state === "closed") {
      const { fence } = this.#journals.get(is.incarnation) ?? new MirroredJournal();
      if (fence !== is.end) this.#note(`${now.key} ends at ${is.end}, its fence is at ${fence}`);
    }
  }

  #leadershipWritten(before: Item | undefined, now: Item): void {
    const { slots } = this.#watched;
    const was = before && readLeadership(before, slots);
    const is = readLeadership(now, slots);
    if (was !== undefined && is.epoch < was.epoch) this.#note("the epoch of leadership fell");
    for (const [slot, leader] of is.leaders.entries()) {
      if (leader === undefined) continue;
      this.#belongs(`epoch ${leader.epoch}`, leader.incarnation);
      const former = was?.leaders[slot];
      if (former !== undefined && leader.epoch < former.epoch) {
        this.#note(`slot ${slot} went from epoch ${former.epoch} back to ${leader.epoch}`);
      }
    }
  }

  #belongs(what: string, incarnation: string): void {
    const other = this.#owners.get(what) ?? incarnation;
    if (other !== incarnation) this.#note(`${what} is of ${other} and of ${incarnation}`);
    this.#owners.set(what, other);
  }

  /** Slots whose heads name it. */
  #touchAllOf(incarnation: string): void {
    for (const [key, head] of this.#heads) {
      if (names(head, incarnation)) this.#touched.add(slotIn(key));
    }
  }

  #touchAll(): void {
    for (let slot = 0; slot < this.#watched.slots; slot += 1) this.#touched.add(slot);
  }

  #isNamed(incarnation: string): boolean {
    return [...this.#heads.values()].some((head) => names(head, incarnation));
  }

  #stateOf(incarnation: string): string {
    const item = this.#item(keys.incarnation(incarnationId(incarnation)));
    return item === undefined ? "gone" : readJournalItem(item).state;
  }

  #item(key: string): Item | undefined {
    const value = this.#items.get(key);
    return value && { key, version: 0, value };
  }

  #note(what: string): void {
    this.#watched.note(what);
  }
}

function names({ owner, sources }: Head, incarnation: string): boolean {
  return owner === incarnation || sources.some((source) => source.incarnation === incarnation);
}

function folderOf(key: string): string {
  return key.slice(0, key.lastIndexOf("/"));
}

function slotIn(key: string): Slot {
  return Number(key.split("/")[1]) as Slot;
}
