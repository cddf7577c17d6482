import {
  assert,
  decideClaim,
  type Epoch,
  type Head,
  type IncarnationId,
  keys,
  readHead,
  type Slot,
} from "@millrace/core";
import { read, type StoreAccess, transact } from "./persist.ts";

/** What an owner needs to write under its slot: conditions on the head, and the epoch of items. */
export interface OpenSlot {
  readonly epoch: Epoch;
  /** The head's item version as long as the slot is open. */
  readonly headVersion: number;
}

/** This incarnation is over: leadership gave the slot to a newer one. */
export class FencedError extends Error {
  override readonly name = "FencedError";
}

/**
 * Makes this incarnation the owner of slots, one head at a time, at first use. Only what leadership
 * gave it may be claimed; the head's conditional write decides. A slot stays open until the process
 * ends.
 */
export class SlotClaims {
  readonly #access: StoreAccess;
  readonly #me: { readonly incarnation: IncarnationId; readonly epoch: Epoch };
  readonly #open = new Map<Slot, OpenSlot>();
  readonly #opening = new Map<Slot, Promise<OpenSlot>>();
  /** Incarnations whose journal is closed; being closed never ends. */
  readonly #closed = new Set<IncarnationId>();

  constructor(
    access: StoreAccess,
    me: { readonly incarnation: IncarnationId; readonly epoch: Epoch },
  ) {
    this.#access = access;
    this.#me = me;
  }

  /** The slot if it is open already. */
  find(slot: Slot): OpenSlot | undefined {
    return this.#open.get(slot);
  }

  /** Throws FencedError, or MetadataError when the store does not answer. */
  open(slot: Slot): Promise<OpenSlot> {
    const open = this.#open.get(slot);
    if (open !== undefined) return Promise.resolve(open);
    const before = this.#opening.get(slot);
    if (before !== undefined) return before;
    const opening = this.#claim(slot).finally(() => this.#opening.delete(slot));
    this.#opening.set(slot, opening);
    return opening;
  }

  async #claim(slot: Slot): Promise<OpenSlot> {
    for (;;) {
      const item = await read(this.#access, keys.head(slot));
      if (item !== undefined) await this.#learnClosed(readHead(item));
      const isClosed = (id: IncarnationId): boolean => this.#closed.has(id);
      const claim = decideClaim(item, { slot, ...this.#me, isClosed });
      if (claim.kind === "fenced") {
        throw new FencedError(`slot ${slot} is owned at epoch ${claim.by.epoch}`);
      }
      assert(claim.kind !== "tooManySources", `slot ${slot} has too many open sources`);
      const { epoch, headVersion } = claim;
      if (claim.kind === "write") {
        const outcome = await transact(this.#access, [claim.write], () => false);
        // Whoever wrote the head, perhaps this very claim: reading it again tells.
        if (!outcome.ok) continue;
      }
      const open = { epoch, headVersion };
      this.#open.set(slot, open);
      return open;
    }
  }

  async #learnClosed(head: Head): Promise<void> {
    const named = head.sources.map((source) => source.incarnation);
    if (head.owner !== undefined) named.push(head.owner);
    for (const id of named) {
      if (id === this.#me.incarnation || this.#closed.has(id)) continue;
      const item = await read(this.#access, keys.incarnation(id));
      if (item === undefined || item.value["state"] === "closed") this.#closed.add(id);
    }
  }
}
