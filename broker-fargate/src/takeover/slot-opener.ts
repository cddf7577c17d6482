import {
  assert,
  type Claim,
  decideClaim,
  decideDrop,
  decideRelease,
  type Epoch,
  type IncarnationId,
  type Item,
  readHead,
  type Slot,
  type Source,
  sourcesMax,
  type Write,
} from "@millrace/core";
import { NotLeaderError } from "../cluster/cluster-view.ts";
import type { StoreAccess } from "../cluster/persist.ts";
import { FencedError, type OpenSlot } from "../cluster/slot-claims.ts";
import { CopiedHeads, type CopyableSlot } from "./copied-heads.ts";
import type { FormerEntries } from "./former-entries.ts";
import { isLostJournal } from "./former-journal.ts";
import { claimsAtOnceMax } from "./limits.ts";
import { type ReadHeads, SlotHeads } from "./slot-heads.ts";

export interface SlotOpenerDeps extends StoreAccess {
  readonly incarnation: IncarnationId;
  /** At which epoch leadership gives this incarnation the slot; undefined: it does not. */
  readonly epochOf: (slot: Slot) => Epoch | undefined;
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
  /** Whether this broker's registered checkpoints, and manifests, hold all of the slot. */
  readonly isCopied: (slot: Slot) => boolean;
  /**
   * Takes all that the sources have of the slots into this broker's checkpoint, at the epochs that
   * they are to be claimed at. Rejects with MetadataError, ObjectError, or FencedError.
   */
  readonly copy: (slots: readonly CopyableSlot[]) => Promise<void>;
  /** What a former owner's journal has of the slot is lost: an alarm. Told at every opening. */
  readonly onLost: (slot: Slot, cause: Error) => void;
}

interface Opened extends OpenSlot {
  readonly sources: readonly Source[];
  /** Why what former owners left in their journals is not here. */
  lost?: Error | undefined;
}

/** What became of slots that were to be opened; one that is in neither is another's. */
interface Opening {
  readonly taken: Map<Slot, Opened>;
  readonly failed: Map<Slot, unknown>;
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
  readonly #copied = new CopiedHeads();
  readonly #open = new Map<Slot, Opened>();
  readonly #opening = new Map<Slot, Promise<Opened>>();
  readonly #stopped = new Set<Slot>();

  constructor(deps: SlotOpenerDeps) {
    this.#deps = deps;
    this.#heads = new SlotHeads(deps, deps.incarnation);
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
    // Somebody may have touched one meanwhile.
    this.#openTogether(hadOwner.filter(isClosed));
    return this.#opened(slots);
  }

  /** From now on nobody gets the slots. Resolves when none of them is being opened. */
  async stop(slots: Iterable<Slot>): Promise<"stopped" | "failed"> {
    const stopping = [...slots];
    for (const slot of stopping) this.#stopped.add(slot);
    // Of a claim that failed nobody knows whether the head is this broker's.
    return (await this.#opened(stopping)).size === 0 ? "stopped" : "failed";
  }

  /** They stay, or came back. */
  resume(slots: Iterable<Slot>): void {
    for (const slot of slots) this.#stopped.delete(slot);
  }

  isStopped(slot: Slot): boolean {
    return this.#stopped.has(slot);
  }

  /** What the slot's head names beside its owner, as long as not all of it is copied. */
  sourcesOf(slot: Slot): readonly Source[] {
    return this.#open.get(slot)?.sources ?? this.#copied.sourcesOf(slot);
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
    const failed = await this.#loadSources(new Map([[slot, open.sources]]));
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
      if (write === undefined || !this.#isCopied(slot)) return false;
      if ((await this.#heads.writeOwn(write)) === "refused") continue;
      if (this.#open.get(slot) === open) this.#open.set(slot, { epoch: open.epoch, sources: [] });
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
        if (failed.has(slot)) throw failed.get(slot);
        return this.#get(slot);
      });
      this.#opening.set(slot, one);
      const over = (): void => {
        if (this.#opening.get(slot) === one) this.#opening.delete(slot);
      };
      one.then(over, over);
    }
  }

  async #claimAll(slots: readonly Slot[]): Promise<Opening> {
    try {
      const claimed = await this.#claim(slots);
      const isFormer = [...claimed.taken.values()].some(({ sources }) => sources.length > 0);
      if (isFormer) await this.#deps.caughtUp();
      const sources = [...claimed.taken].map(([slot, opened]) => [slot, opened.sources] as const);
      const lost = await this.#loadSources(new Map(sources));
      for (const [slot, opened] of claimed.taken) await this.#settle(claimed, slot, { opened, lost });
      return claimed;
    } catch (error) {
      return { taken: new Map(), failed: new Map(slots.map((slot) => [slot, error])) };
    }
  }

  /** The slot is open, unless leadership moved on while journals were read. */
  async #settle(
    opening: Opening,
    slot: Slot,
    found: { readonly opened: Opened; readonly lost: ReadonlyMap<Slot, unknown> },
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
      if (isLost) {
        opened.lost = cause;
        onLost(slot, cause);
      }
      this.#copied.delete(slot);
      this.#open.set(slot, opened);
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

  async #claim(slots: readonly Slot[]): Promise<Opening> {
    const opening: Opening = { taken: new Map(), failed: new Map() };
    let left = slots;
    while (left.length > 0) {
      const heads = await this.#heads.readAll(left);
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
      if (crowded.length > 0) await this.#copy(crowded);
      left = [...others, ...crowded.map(({ slot }) => slot)];
    }
    return opening;
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
    readonly taken: ReadonlyMap<Slot, Opened>;
    readonly others: readonly Slot[];
    readonly crowded: readonly CopyableSlot[];
  }> {
    const { incarnation, epochOf } = this.#deps;
    const taken = new Map<Slot, Opened>();
    const others = new Set<Slot>();
    const crowded = new Map<Slot, CopyableSlot>();
    const isOver = (owner: IncarnationId): boolean => closed.has(owner);
    await this.#heads.write(slots, (slot, item) => {
      taken.delete(slot);
      others.delete(slot);
      crowded.delete(slot);
      const epoch = this.#stopped.has(slot) ? undefined : epochOf(slot);
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

  /** So that a claim need name no source of theirs (rule 7). */
  async #copy(slots: readonly CopyableSlot[]): Promise<void> {
    const { caughtUp, copy } = this.#deps;
    await caughtUp();
    const sources = new Map(slots.map((one) => [one.slot, this.#copied.begin(one)]));
    const failed = await this.#loadSources(sources);
    for (const cause of failed.values()) throw cause;
    await copy(slots);
    for (const one of slots) this.#copied.end(one);
  }

  /** By journal, for all slots that it may have something of. Those whose journals can't be read. */
  async #loadSources(
    of: ReadonlyMap<Slot, readonly Source[]>,
  ): Promise<ReadonlyMap<Slot, unknown>> {
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

function ownerOf(item: Item | undefined): IncarnationId | undefined {
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
