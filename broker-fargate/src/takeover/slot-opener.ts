import { assert, decideDrop, decideRelease, readHead, sourcesMax } from "@millrace/core";
import type { Epoch, Head, IncarnationId, Slot, Source } from "@millrace/core";
import { NotLeaderError } from "../cluster/cluster-view.ts";
import type { StoreAccess } from "../cluster/persist.ts";
import { FencedError, type OpenSlot } from "../cluster/slot-claims.ts";
import { isLostJournal } from "./former-journal.ts";
import { claimsAtOnceMax } from "./limits.ts";
import {
  type Claimed,
  type ClaimedSlot,
  ownerOf,
  SlotClaimer,
  type SlotClaimerDeps,
} from "./slot-claimer.ts";
import { SlotHeads } from "./slot-heads.ts";

export interface SlotOpenerDeps extends StoreAccess, Omit<SlotClaimerDeps, "heads" | "isStopped"> {
  /** Whether this broker's registered checkpoints, and manifests, hold all of the slot. */
  readonly isCopied: (slot: Slot) => boolean;
  /** What a former owner's journal has of the slot is lost: an alarm. Told at every opening. */
  readonly onLost: (slot: Slot, cause: Error) => void;
}

interface Opened extends ClaimedSlot {
  /** Why what former owners left in their journals is not here. */
  lost?: Error | undefined;
}

/**
 * Makes this incarnation the owner of the slots that leadership gives it (ownership rules 9 – 11):
 * head read → its owner's journal closed, unless the slot was released → head written, exactly as
 * it was read, and while this incarnation's own journal is open → topics followed up to now → what
 * former owners left in their journals is read. Only then the slot is open. Every step can be
 * repeated, by anybody. A journal that can't be closed or read holds up its own slots alone.
 *
 * States of a slot: closed → opening → open → stopped (it goes to another broker: nobody gets it
 * here any more) → open, or released and closed. A slot whose former journal is lost opens, so that
 * its groups go on; `lostOf` tells those who need the journal.
 *
 * Rejections: NotLeaderError; FencedError, when this incarnation is over; MetadataError and
 * ObjectError, after which the slot may be opened again.
 */
export class SlotOpener {
  readonly #deps: SlotOpenerDeps;
  readonly #heads: SlotHeads;
  readonly #claimer: SlotClaimer;
  readonly #open = new Map<Slot, Opened>();
  readonly #opening = new Map<Slot, Promise<Opened>>();
  readonly #stopped = new Set<Slot>();
  /** Not open, and their heads may be this incarnation's: an opening failed on its way. */
  readonly #doubtful = new Set<Slot>();

  constructor(deps: SlotOpenerDeps) {
    this.#deps = deps;
    this.#heads = new SlotHeads(deps, deps.incarnation);
    const isStopped = (slot: Slot): boolean => this.#stopped.has(slot);
    this.#claimer = new SlotClaimer({ ...deps, heads: this.#heads, isStopped });
  }

  /** The slot if it is open already. */
  find(slot: Slot): OpenSlot | undefined {
    return this.#stopped.has(slot) ? undefined : this.#open.get(slot);
  }

  open(slot: Slot): Promise<OpenSlot> {
    // Whoever got it now would use it after what it holds was handed over.
    if (this.#stopped.has(slot)) return Promise.reject(new NotLeaderError(slot));
    const open = this.#open.get(slot);
    if (open !== undefined) return Promise.resolve(open);
    const before = this.#opening.get(slot);
    if (before !== undefined) return before;
    this.#openTogether([slot]);
    return this.#opening.get(slot) ?? Promise.reject(new NotLeaderError(slot));
  }

  /**
   * Opens those of the slots that somebody had: what nobody touched is opened when somebody does.
   * Resolves when all of them are open, or are not this broker's, with why others are not.
   */
  async takeOver(slots: readonly Slot[]): Promise<ReadonlyMap<Slot, unknown>> {
    const isClosed = (slot: Slot): boolean => !this.#open.has(slot) && !this.#opening.has(slot);
    const heads = await this.#heads.readAll(slots.filter(isClosed));
    const hadOwner = [...heads].filter(([, head]) => head !== undefined).map(([slot]) => slot);
    for (const [slot, head] of heads) if (head === undefined) this.#doubtful.delete(slot);
    // Somebody may have touched one meanwhile. One owner's journal holds up no other's slots.
    const byOwner = Map.groupBy(hadOwner.filter(isClosed), (slot) => ownerOf(heads.get(slot)));
    for (const its of byOwner.values()) this.#openTogether(its);
    return this.#opened(slots);
  }

  /** From now on nobody gets the slots. Resolves when none of them is being opened. */
  async stop(slots: Iterable<Slot>): Promise<"stopped" | "failed"> {
    const stopping = [...slots];
    for (const slot of stopping) this.#stopped.add(slot);
    const failed = await this.#opened(stopping);
    // Of a claim that failed, be it before, nobody knows whether the head is this broker's.
    const isSure = failed.size === 0 && !stopping.some((slot) => this.#doubtful.has(slot));
    return isSure ? "stopped" : "failed";
  }

  /** They stay, or came back. */
  resume(slots: Iterable<Slot>): void {
    for (const slot of slots) this.#stopped.delete(slot);
  }

  isStopped(slot: Slot): boolean {
    return this.#stopped.has(slot);
  }

  /** How many of the slots are open, stopped or not. */
  openOf(slots: Iterable<Slot>): number {
    return [...slots].filter((slot) => this.#open.has(slot)).length;
  }

  /** What the slot's head names beside its owner, as long as not all of it is copied. */
  sourcesOf(slot: Slot): readonly Source[] {
    return this.#open.get(slot)?.sources ?? this.#claimer.sourcesOf(slot);
  }

  /** Open slots of which nobody knows what former owners' journals had. */
  get lostSlots(): number {
    return [...this.#open.values()].filter(({ lost }) => lost !== undefined).length;
  }

  /** Writes of heads that somebody else was faster than. */
  get claimsRefused(): number {
    return this.#heads.refused;
  }

  /** Why nobody knows what former owners' journals had of the slot. */
  lostOf(slot: Slot): Error | undefined {
    return this.#open.get(slot)?.lost;
  }

  /** Whether the slot can be handed over: its head has room for one source more. */
  mayRelease(slot: Slot): boolean {
    const open = this.#open.get(slot);
    return open === undefined || (open.lost === undefined && open.sources.length < sourcesMax);
  }

  /** Tries once more to read what was lost. Rejects with MetadataError or ObjectError. */
  async findLost(slot: Slot): Promise<void> {
    const open = this.#open.get(slot);
    if (open?.lost === undefined) return;
    const failed = await this.#claimer.loadSources(new Map([[slot, open.sources]]));
    if (this.#open.get(slot) !== open) return;
    const cause = failed.get(slot);
    if (cause === undefined) open.lost = undefined;
    else if (!isLostJournal(cause)) throw cause;
  }

  /**
   * Drops the sources of an open slot, all of which this broker's own checkpoints and manifests hold
   * by now (rule 11 g); false: not all of it is copied, or there are none. Rejects with
   * MetadataError.
   */
  async dropSources(slot: Slot): Promise<boolean> {
    for (;;) {
      const open = this.#open.get(slot);
      if (open === undefined || open.sources.length === 0 || !this.#isCopied(slot)) return false;
      const item = await this.#heads.readOne(slot);
      const { epoch } = open;
      const { incarnation } = this.#deps;
      const me = { slot, incarnation, epoch, heldAt: epoch, isSpent: () => true };
      const write = decideDrop(item, me);
      // Where an earlier write of this very kind has been made, its reply was lost.
      const isDone = item !== undefined && isDropped(readHead(item), me);
      if (!isDone && (write === undefined || !this.#isCopied(slot))) return false;
      if (write !== undefined && (await this.#heads.writeOwn(write)) === "refused") continue;
      // The answer may be late: what the slot has by now, after it went and came back, stays.
      if (this.#open.get(slot) !== open) return false;
      this.#open.set(slot, { epoch: open.epoch, sources: [] });
      this.#deps.former.forget(slot);
      return true;
    }
  }

  /**
   * Lets go of those of the slots that are open: their heads have no owner, and name this
   * incarnation as the source of what its checkpoints hold of them (rule 14). Nothing of them may be
   * under way any more. Rejects with FencedError, where somebody took them by force, or
   * MetadataError: some are released then, and it is to be repeated.
   */
  async release(slots: Iterable<Slot>): Promise<void> {
    const { incarnation } = this.#deps;
    const open = [...slots].filter((slot) => this.#open.has(slot));
    for (let from = 0; from < open.length; from += claimsAtOnceMax) {
      const some = open.slice(from, from + claimsAtOnceMax);
      await this.#heads.write(some, (slot, item) => {
        const { epoch } = this.#get(slot);
        const release = decideRelease(item, { slot, incarnation, epoch });
        if (release.kind === "lost") throw new FencedError(`slot ${slot} is another owner's`);
        assert(release.kind !== "tooManySources", `slot ${slot} was asked whether it may go`);
        return release.kind === "write" ? release.write : undefined;
      });
      for (const slot of some) this.#forget(slot);
    }
  }

  #isCopied(slot: Slot): boolean {
    return this.#open.get(slot)?.lost === undefined && this.#deps.isCopied(slot);
  }

  #forget(slot: Slot): void {
    this.#open.delete(slot);
    this.#deps.former.forget(slot);
  }

  #get(slot: Slot): Opened {
    const open = this.#open.get(slot);
    if (open === undefined) throw new NotLeaderError(slot);
    return open;
  }

  /** Resolves when none of them is being opened, with why some could not be. */
  async #opened(slots: readonly Slot[]): Promise<ReadonlyMap<Slot, unknown>> {
    const failed = new Map<Slot, unknown>();
    const opening = slots.map(async (slot) => {
      try {
        await this.#opening.get(slot);
      } catch (error) {
        if (!(error instanceof NotLeaderError)) failed.set(slot, error);
      }
    });
    await Promise.all(opening);
    return failed;
  }

  /** Each of them is in `#opening` until it is open, or not. */
  #openTogether(slots: readonly Slot[]): void {
    if (slots.length === 0) return;
    const claiming = this.#claimAll(slots);
    for (const slot of slots) {
      const one = claiming.then(({ failed }) => {
        if (failed.has(slot)) {
          this.#doubtful.add(slot);
          throw failed.get(slot);
        }
        this.#doubtful.delete(slot);
        return this.#get(slot);
      });
      this.#opening.set(slot, one);
      const over = (): void => {
        if (this.#opening.get(slot) === one) this.#opening.delete(slot);
      };
      one.then(over, over);
    }
  }

  async #claimAll(slots: readonly Slot[]): Promise<Claimed> {
    try {
      const claimed = await this.#claimer.claim(slots);
      this.#forgetReadAhead(slots.filter((slot) => !claimed.taken.has(slot)));
      const isFormer = [...claimed.taken.values()].some(({ sources }) => sources.length > 0);
      if (isFormer) await this.#deps.caughtUp();
      const sources = [...claimed.taken].map(([slot, opened]) => [slot, opened.sources] as const);
      const lost = await this.#claimer.loadSources(new Map(sources));
      for (const [slot, opened] of claimed.taken)
        await this.#settle(claimed, slot, { opened, lost });
      return claimed;
    } catch (error) {
      this.#forgetReadAhead(slots);
      return { taken: new Map(), failed: new Map(slots.map((slot) => [slot, error])) };
    }
  }

  /** They are another's, or are tried again: then it is read again, but for what is to be copied. */
  #forgetReadAhead(slots: readonly Slot[]): void {
    for (const slot of slots) {
      if (this.#claimer.sourcesOf(slot).length === 0) this.#deps.former.forget(slot);
    }
  }

  /** The slot is open, unless leadership moved on while journals were read. */
  async #settle(
    opening: Claimed,
    slot: Slot,
    found: { readonly opened: ClaimedSlot; readonly lost: ReadonlyMap<Slot, unknown> },
  ): Promise<void> {
    const { epochOf, former, onLost } = this.#deps;
    const { lost, opened } = found;
    const cause = lost.get(slot);
    const isLost = isLostJournal(cause);
    if (cause !== undefined && !isLost) {
      opening.failed.set(slot, cause);
    } else if (isLost && !(await this.#isMine(slot, opened))) {
      opening.failed.set(slot, new NotLeaderError(slot));
    } else if (epochOf(slot) === opened.epoch) {
      if (isLost) onLost(slot, cause);
      this.#claimer.opened(slot);
      this.#open.set(slot, isLost ? { ...opened, lost: cause } : opened);
      former.opened(slot, opened.sources);
      if (opened.sources.length > 0) return;
    }
    former.forget(slot);
  }

  /** By a strong read: what is missing may have been deleted by who finished with it (rule 11). */
  async #isMine(slot: Slot, { epoch }: OpenSlot): Promise<boolean> {
    const item = await this.#heads.readOne(slot);
    if (item === undefined) return false;
    const head = readHead(item);
    return head.owner === this.#deps.incarnation && head.epoch === epoch;
  }
}

function isDropped(head: Head, me: { readonly incarnation: IncarnationId; epoch: Epoch }): boolean {
  return head.owner === me.incarnation && head.epoch === me.epoch && head.sources.length === 0;
}
