import { type Epoch, type Item, readHead, type Slot, type Source } from "@millrace/core";

/** A slot whose head names so many sources that it can't be claimed before they are copied. */
export interface CopyableSlot {
  readonly slot: Slot;
  /** At which it is to be claimed. */
  readonly epoch: Epoch;
  /** Its head as it was read; the owner's journal is closed. */
  readonly item: Item;
}

interface Copy {
  readonly epoch: Epoch;
  readonly sources: readonly Source[];
  /** Of the head that was copied; undefined: it is being copied, or that failed. */
  version: number | undefined;
}

/**
 * Slots of which this broker's checkpoint holds everything though it does not own them yet
 * (ownership rule 7). A copy counts for the head as it was read, and for no other: whoever owned the
 * slot meanwhile has written more. A copy that does not count is there nevertheless, at the epoch of
 * the claim, so the slot is copied again before it is claimed.
 */
export class CopiedHeads {
  readonly #copies = new Map<Slot, Copy>();

  /** What of it is to be told to `decideClaim`. */
  claimOf(slot: Slot, epoch: Epoch): { readonly copiedVersion?: number } {
    const copy = this.#copies.get(slot);
    if (copy?.epoch !== epoch) return {};
    return { copiedVersion: copy.version ?? noVersion };
  }

  /** The sources that are to be copied: those of the head, and its owner. */
  begin({ epoch, item, slot }: CopyableSlot): readonly Source[] {
    const { owner, ...head } = readHead(item);
    const last = owner === undefined ? [] : [{ incarnation: owner, epoch: head.epoch }];
    const sources = [...head.sources, ...last];
    this.#copies.set(slot, { epoch, sources, version: undefined });
    return sources;
  }

  /** A registered checkpoint holds them. */
  end({ item, slot }: CopyableSlot): void {
    const copy = this.#copies.get(slot);
    if (copy !== undefined) copy.version = item.version;
  }

  /** Of a slot that is being copied. */
  sourcesOf(slot: Slot): readonly Source[] {
    return this.#copies.get(slot)?.sources ?? [];
  }

  /** It is open. */
  delete(slot: Slot): void {
    this.#copies.delete(slot);
  }
}

/** No item has it: whatever the head is, it is to be copied again. */
const noVersion = -1;
