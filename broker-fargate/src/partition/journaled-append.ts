import type { BatchSummary, Epoch, Slot, TopicId } from "@millrace/core";
import type { JournalEntryKind } from "@millrace/wire";
import type { DelayReason, PendingEntry } from "../journal/append-journal.ts";

/** The partition that an entry is of, as its owner hears from the journal. */
export interface EntryOwner {
  readonly topicId: TopicId;
  readonly partition: number;
  readonly slot: Slot;
  readonly leaderEpoch: Epoch;
  entryDurable(seq: number): void;
  entryDelayed(reason: DelayReason): void;
  entryFailed(): void;
}

/** One decided append, or one change of policy, on its way through the journal into the log. */
export class OwnedEntry implements PendingEntry {
  readonly kind: JournalEntryKind;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly parts: readonly Uint8Array[];
  readonly crc: number;
  readonly batches: readonly BatchSummary[];
  readonly topicId: TopicId;
  readonly partition: number;
  readonly slot: Slot;
  readonly epoch: Epoch;
  isDurable = false;
  readonly #owner: EntryOwner;

  constructor(
    owner: EntryOwner,
    content: {
      readonly kind: JournalEntryKind;
      readonly baseOffset: number;
      readonly lastOffset: number;
      readonly parts: readonly Uint8Array[];
      /** Of the parts. */
      readonly crc: number;
      readonly batches: readonly BatchSummary[];
    },
  ) {
    this.#owner = owner;
    this.kind = content.kind;
    this.baseOffset = content.baseOffset;
    this.lastOffset = content.lastOffset;
    this.parts = content.parts;
    this.crc = content.crc;
    this.batches = content.batches;
    this.topicId = owner.topicId;
    this.partition = owner.partition;
    this.slot = owner.slot;
    this.epoch = owner.leaderEpoch;
  }

  durable(seq: number): void {
    this.isDurable = true;
    this.#owner.entryDurable(seq);
  }

  delayed(reason: DelayReason): void {
    this.#owner.entryDelayed(reason);
  }

  failed(): void {
    this.#owner.entryFailed();
  }
}
