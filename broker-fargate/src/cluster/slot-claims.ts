import {
  assert,
  type Claimant,
  decideClaim,
  decideDrop,
  type Epoch,
  type Head,
  type IncarnationId,
  keys,
  readHead,
  type Slot,
  type Source,
} from "@millrace/core";
import { read, type StoreAccess, transact } from "./persist.ts";

/**
 * What an owner needs to write under its slot: the epoch, which belongs to one incarnation, of its
 * items, and of the condition that the head has no newer one.
 */
export interface OpenSlot {
  readonly epoch: Epoch;
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
  /** Incarnations that left nothing: the journal is closed, and there is no checkpoint. */
  readonly #spent = new Set<IncarnationId>();
  /** Tells whether a former owner's checkpoint holds something of the slot. */
  #holdsSlot: ((source: Source, slot: Slot) => Promise<boolean>) | undefined;

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

  /** Whoever reads checkpoints says which sources can go where a head has too many. */
  useCheckpoints(holdsSlot: (source: Source, slot: Slot) => Promise<boolean>): void {
    this.#holdsSlot = holdsSlot;
  }

  /**
   * Drops the sources of an open slot whose journals are closed: the owner's own checkpoint holds
   * what they had (ownership rule 11g). False: there are none. Throws MetadataError.
   */
  async dropSources(slot: Slot): Promise<boolean> {
    for (;;) {
      const item = await read(this.#access, keys.head(slot));
      const sources = item === undefined ? [] : readHead(item).sources;
      const closed = new Set<Source["incarnation"]>();
      for (const { incarnation } of sources) {
        if (await this.#isClosed(incarnation)) closed.add(incarnation);
      }
      if (closed.size === 0) return false;
      const isSpent = ({ incarnation }: Source): boolean => closed.has(incarnation);
      const write = decideDrop(item, { slot, ...this.#me, heldAt: this.#me.epoch, isSpent });
      if (write === undefined) return false;
      const outcome = await transact(this.#access, [write], () => false);
      if (outcome.ok) return true;
    }
  }

  async #claim(slot: Slot): Promise<OpenSlot> {
    for (;;) {
      const item = await read(this.#access, keys.head(slot));
      if (item !== undefined) await this.#learnSpent(readHead(item));
      const claimant = { slot, ...this.#me, isSpent: this.#isSpent, isOver };
      let claim = decideClaim(item, claimant);
      if (claim.kind === "tooManySources" && item !== undefined) {
        claim = decideClaim(item, await this.#withFewerSources(readHead(item), claimant));
      }
      if (claim.kind === "fenced") {
        throw new FencedError(`slot ${slot} is owned at epoch ${claim.by.epoch}`);
      }
      const { kind } = claim;
      assert(
        claim.kind === "held" || claim.kind === "write",
        `slot ${slot} cannot be claimed: ${kind}`,
      );
      if (claim.kind === "write") {
        const outcome = await transact(this.#access, [claim.write], () => false);
        // Whoever wrote the head, perhaps this very claim: reading it again tells.
        if (!outcome.ok) continue;
      }
      const open = { epoch: claim.epoch };
      this.#open.set(slot, open);
      return open;
    }
  }

  readonly #isSpent = ({ incarnation }: Source): boolean => this.#spent.has(incarnation);

  /**
   * A checkpoint tells all of a slot, so only the newest source counts that has something of it. A
   * journal that is still open is replayed by its incarnation's item, whatever heads say of it:
   * starts that died one after another leave any number of them.
   */
  async #withFewerSources(head: Head, claimant: Claimant): Promise<Claimant> {
    const left = sourcesOf(head).filter((source) => !this.#isSpent(source));
    const dropped = new Set<Source>();
    let isFound = false;
    for (const source of left.toSorted((a, b) => b.epoch - a.epoch)) {
      const holds: boolean = !isFound && (await (this.#holdsSlot?.(source, claimant.slot) ?? true));
      if (!holds) dropped.add(source);
      isFound ||= holds;
    }
    const isDropped = ({ epoch }: Source): boolean => {
      return [...dropped].some((source) => source.epoch === epoch);
    };
    const isSpent = (source: Source): boolean => this.#isSpent(source) || isDropped(source);
    return { ...claimant, isSpent };
  }

  async #learnSpent(head: Head): Promise<void> {
    for (const { incarnation } of sourcesOf(head)) {
      if (incarnation === this.#me.incarnation || this.#spent.has(incarnation)) continue;
      const item = await read(this.#access, keys.incarnation(incarnation));
      const isClosed = item === undefined || item.value["state"] === "closed";
      if (isClosed && item?.value["checkpoint"] === undefined) this.#spent.add(incarnation);
    }
  }

  async #isClosed(incarnation: IncarnationId): Promise<boolean> {
    const item = await read(this.#access, keys.incarnation(incarnation));
    return item === undefined || item.value["state"] === "closed";
  }
}

/** The lock of the data directory says so: there is no other process. */
function isOver(): boolean {
  return true;
}

/** A head's sources, and its owner, which is the next one. */
function sourcesOf({ owner, epoch, sources }: Head): readonly Source[] {
  return owner === undefined ? sources : [...sources, { incarnation: owner, epoch }];
}
