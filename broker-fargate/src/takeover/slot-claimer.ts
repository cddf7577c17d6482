import {
  type Claim,
  decideClaim,
  type Epoch,
  type IncarnationId,
  type Item,
  ObjectError,
  readHead,
  type Slot,
  type Source,
  type Write,
} from "@millrace/core";
import { FencedError, type OpenSlot } from "../cluster/slot-claims.ts";
import { CopiedHeads, type CopyableSlot } from "./copied-heads.ts";
import type { FormerEntries } from "./former-entries.ts";
import { isLostJournal, type LostJournal } from "./former-journal.ts";
import { claimsAtOnceMax } from "./limits.ts";
import type { ReadHeads, SlotHeads } from "./slot-heads.ts";

export interface SlotClaimerDeps {
  readonly incarnation: IncarnationId;
  readonly heads: SlotHeads;
  /** At which epoch leadership gives this incarnation the slot; undefined: it does not. */
  readonly epochOf: (slot: Slot) => Epoch | undefined;
  /** Whether the slot is on its way to another broker, whatever leadership says. */
  readonly isStopped: (slot: Slot) => boolean;
  /**
   * Closes a former owner's journal for good (ownership rule 11 b – d). By any number of callers at
   * once. Rejects with MetadataError or ObjectError.
   */
  readonly closeJournal: (incarnation: IncarnationId) => Promise<void>;
  /**
   * Resolves when every topic is known here that was made before the call: what former owners left
   * of a topic must not be taken for what a deleted one left. Rejects with MetadataError.
   */
  readonly caughtUp: () => Promise<void>;
  readonly former: FormerEntries;
  /** What it packed of slots that it released will be asked for soon. */
  readonly readAhead: (incarnation: IncarnationId) => void;
  /**
   * Takes all that the sources have of the slots into this broker's checkpoint, at the epochs that
   * they are to be claimed at. Rejects with MetadataError, ObjectError, or FencedError.
   */
  readonly copy: (slots: readonly CopyableSlot[]) => Promise<void>;
}

/** A slot whose head this incarnation owns. */
export interface ClaimedSlot extends OpenSlot {
  readonly sources: readonly Source[];
}

/** What became of slots that were to be claimed; one that is in neither is another's. */
export interface Claimed {
  readonly taken: Map<Slot, ClaimedSlot>;
  readonly failed: Map<Slot, unknown>;
}

/**
 * Claims heads (ownership rules 7, 9 and 11 b – e): owner's journal closed → head written exactly as
 * it was read, while this incarnation's own journal is open. Where the head has too many sources,
 * these are copied in between. Every step can be repeated, and is where somebody else was faster.
 */
export class SlotClaimer {
  readonly #deps: SlotClaimerDeps;
  readonly #copied = new CopiedHeads();

  constructor(deps: SlotClaimerDeps) {
    this.#deps = deps;
  }

  /** Of a slot that is being copied. */
  sourcesOf(slot: Slot): readonly Source[] {
    return this.#copied.sourcesOf(slot);
  }

  /** It is open: a copy that was made for its claim has served. */
  opened(slot: Slot): void {
    this.#copied.delete(slot);
  }

  /** Ends when each of the slots is claimed, or failed, or another's. Rejects as its steps do. */
  async claim(slots: readonly Slot[]): Promise<Claimed> {
    const opening: Claimed = { taken: new Map(), failed: new Map() };
    let left = slots;
    while (left.length > 0) {
      const heads = await this.#deps.heads.readAll(left);
      // Beside the closing and the claims (rule 11 c): who opens the slots waits for it, and meets
      // what failed.
      void this.loadSources(this.#leftBy(heads));
      for (const incarnation of releasersOf(heads)) this.#deps.readAhead(incarnation);
      const owners = await this.#closeOwners(heads);
      const ready = left.filter((slot) => {
        const cause = owners.failed.get(ownerOf(heads.get(slot)));
        if (cause !== undefined) opening.failed.set(slot, cause);
        return cause === undefined;
      });
      const others: Slot[] = [];
      const crowded: CopyableSlot[] = [];
      for (let from = 0; from < ready.length; from += claimsAtOnceMax) {
        const some = ready.slice(from, from + claimsAtOnceMax);
        const claimed = await this.#claimSome(some, owners.closed);
        for (const [slot, opened] of claimed.taken) opening.taken.set(slot, opened);
        others.push(...claimed.others);
        crowded.push(...claimed.crowded);
      }
      left = [...others, ...(await this.#copyAll(crowded, opening.failed))];
    }
    return opening;
  }

  /** Whose journals may have something of the slots, once their owners' are closed. */
  #leftBy(heads: ReadHeads): ReadonlyMap<Slot, readonly Source[]> {
    const left = new Map<Slot, readonly Source[]>();
    for (const [slot, item] of heads) {
      if (item === undefined) continue;
      const { epoch, owner, sources } = readHead(item);
      if (owner === undefined || owner === this.#deps.incarnation) continue;
      left.set(slot, [...sources, { incarnation: owner, epoch }]);
    }
    return left;
  }

  /** Whose journals are closed now, and why others' are not. */
  async #closeOwners(heads: ReadHeads): Promise<{
    readonly closed: ReadonlySet<IncarnationId>;
    readonly failed: ReadonlyMap<IncarnationId | undefined, unknown>;
  }> {
    const owners = new Set([...heads.values()].map(ownerOf));
    owners.delete(undefined);
    owners.delete(this.#deps.incarnation);
    const closed = new Set<IncarnationId>();
    const failed = new Map<IncarnationId | undefined, unknown>();
    await Promise.all(
      [...owners].map(async (owner) => {
        if (owner === undefined) return;
        try {
          await this.#deps.closeJournal(owner);
          closed.add(owner);
        } catch (error) {
          failed.set(owner, error);
        }
      }),
    );
    return { closed, failed };
  }

  /**
   * `others`: they got another owner since, whose journal is to be closed first; `crowded`: what
   * their sources have is to be copied first.
   */
  async #claimSome(
    slots: readonly Slot[],
    closed: ReadonlySet<IncarnationId>,
  ): Promise<{
    readonly taken: ReadonlyMap<Slot, ClaimedSlot>;
    readonly others: readonly Slot[];
    readonly crowded: readonly CopyableSlot[];
  }> {
    const { epochOf, heads, incarnation, isStopped } = this.#deps;
    const taken = new Map<Slot, ClaimedSlot>();
    const others = new Set<Slot>();
    const crowded = new Map<Slot, CopyableSlot>();
    const isOver = (owner: IncarnationId): boolean => closed.has(owner);
    await heads.write(slots, (slot, item) => {
      taken.delete(slot);
      others.delete(slot);
      crowded.delete(slot);
      const epoch = isStopped(slot) ? undefined : epochOf(slot);
      if (epoch === undefined) return undefined;
      const me = { slot, incarnation, epoch, isSpent: () => false, isOver };
      const claim = decideClaim(item, { ...me, ...this.#copied.claimOf(slot, epoch) });
      if (claim.kind === "fenceFirst") others.add(slot);
      if (claim.kind === "write") taken.set(slot, { epoch, sources: sourcesIn(claim.write) });
      if (claim.kind === "held") taken.set(slot, { epoch, sources: sourcesOf(item) });
      if (item !== undefined && isCrowded(claim)) crowded.set(slot, { slot, epoch, item });
      assertMayBeClaimed(claim, slot);
      // Where leadership gave the slot on, this broker will hear of it.
      return claim.kind === "write" ? claim.write : undefined;
    });
    return { taken, others: [...others], crowded: [...crowded.values()] };
  }

  /** Those that can be claimed now; one that can't be copied holds up no other. */
  async #copyAll(
    slots: readonly CopyableSlot[],
    failed: Map<Slot, unknown>,
  ): Promise<readonly Slot[]> {
    if (slots.length > 0) await this.#deps.caughtUp();
    const copied: Slot[] = [];
    for (const one of slots) {
      try {
        await this.#copy(one);
        copied.push(one.slot);
      } catch (error) {
        if (error instanceof FencedError) throw error;
        failed.set(one.slot, isLostJournal(error) ? later(one.slot, error) : error);
      }
    }
    return copied;
  }

  /** So that a claim need name no source of it (rule 7). */
  async #copy(one: CopyableSlot): Promise<void> {
    const sources = this.#copied.begin(one);
    const failed = await this.loadSources(new Map([[one.slot, sources]]));
    for (const cause of failed.values()) throw cause;
    await this.#deps.copy([one]);
    this.#copied.end(one);
  }

  /** By journal, for all slots that it may have something of. Those whose journals can't be read. */
  async loadSources(of: ReadonlyMap<Slot, readonly Source[]>): Promise<ReadonlyMap<Slot, unknown>> {
    const slotsBy = new Map<IncarnationId, Slot[]>();
    for (const [slot, sources] of of) {
      for (const { incarnation, released } of sources) {
        if (released === true) continue;
        slotsBy.set(incarnation, [...(slotsBy.get(incarnation) ?? []), slot]);
      }
    }
    const failed = new Map<Slot, unknown>();
    await Promise.all(
      [...slotsBy].map(async ([incarnation, slots]) => {
        try {
          await this.#deps.former.load(incarnation, slots);
        } catch (error) {
          for (const slot of slots) failed.set(slot, error);
        }
      }),
    );
    return failed;
  }
}

/** What is lost may be brought back; the slot stays as it is until then. */
function later(slot: Slot, cause: LostJournal): ObjectError {
  const message = `slot ${slot} can't be copied: ${cause.message}`;
  return new ObjectError(message, { retriable: true, applied: "no", cause });
}

/** Who released those of the slots that nobody owns. */
function releasersOf(heads: ReadHeads): ReadonlySet<IncarnationId> {
  const releasers = new Set<IncarnationId>();
  for (const item of heads.values()) {
    if (item === undefined || ownerOf(item) !== undefined) continue;
    for (const { incarnation, released } of sourcesOf(item)) {
      if (released === true) releasers.add(incarnation);
    }
  }
  return releasers;
}

/** By a head as it was read. */
export function ownerOf(item: Item | undefined): IncarnationId | undefined {
  return item === undefined ? undefined : readHead(item).owner;
}

function sourcesIn(write: Write): readonly Source[] {
  if (write.kind !== "put") return [];
  return sourcesOf({ key: write.key, version: 0, value: write.value });
}

function sourcesOf(item: Item | undefined): readonly Source[] {
  return item === undefined ? [] : readHead(item).sources;
}

function isCrowded({ kind }: Claim): boolean {
  return kind === "tooManySources" || kind === "copyAgain";
}

function assertMayBeClaimed(claim: Claim, slot: Slot): void {
  if (claim.kind !== "releaseFirst") return;
  // Leadership took the slot away and gave it back: whatever this incarnation holds is in doubt.
  throw new FencedError(`slot ${slot} was this incarnation's at epoch ${claim.epoch}`);
}
