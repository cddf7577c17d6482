import { type GroupRules, inLanes, keys, type Slot } from "@millrace/core";
import { GuardedWrites } from "../cluster/guarded-writes.ts";
import type { StoreAccess } from "../cluster/persist.ts";
import { NotLeaderError } from "../cluster/cluster-view.ts";
import { FencedError } from "../cluster/slot-claims.ts";
import { isStoreError } from "../partition/store-error.ts";
import type { CoordinatorDeps, GroupSettings, Unavailable } from "./deps.ts";
import type { GroupMetrics } from "./group-metrics.ts";
import { GroupSlot } from "./group-slot.ts";
import { commitRefreshParts, slotReopenMs, slotsOpeningMax } from "./limits.ts";
import { loadSlot, slotsWithGroups } from "./load-slot.ts";
import { SlotLostError, SlotWriter } from "./slot-writer.ts";

/**
 * The slots whose groups are in memory. A slot is loaded when it is first asked for, and again
 * after it was lost; a lost one that held groups is loaded without being asked, because sessions
 * must end even where nobody asks.
 */
export class HeldSlots {
  readonly #deps: CoordinatorDeps;
  readonly #options: { readonly metrics: GroupMetrics; readonly rules: () => GroupRules };
  readonly #access: StoreAccess;
  readonly #guarded: GuardedWrites;
  readonly #open = new Map<Slot, GroupSlot>();
  readonly #opening = new Map<Slot, Promise<GroupSlot>>();
  /** Slots that were released, and of which writes may be under way still. */
  readonly #closing = new Map<Slot, Promise<void>>();
  #openingAll: Promise<void> | undefined;
  #openingVersion = -1;
  #isClosed = false;
  /** No two writes of one epoch share a stamp: an epoch is one process's. */
  #stamp = 0;

  constructor(
    deps: CoordinatorDeps,
    options: { readonly metrics: GroupMetrics; readonly rules: () => GroupRules },
  ) {
    this.#deps = deps;
    this.#options = options;
    this.#access = { store: deps.cluster.store, clock: deps.clock, random: deps.random };
    this.#guarded = new GuardedWrites(this.#access);
  }

  open(): Iterable<GroupSlot> {
    return this.#open.values();
  }

  /** Runs in the slot's turn: at once if it is open, so that calls take effect in their order. */
  run<Result>(
    groupId: string,
    decide: (slot: GroupSlot) => Result | Promise<Result>,
  ): Result | Promise<Result> {
    const number = this.#deps.cluster.slotOfGroup(groupId);
    const open = this.#open.get(number);
    return open === undefined ? this.#openSlot(number).then(decide) : decide(open);
  }

  /**
   * Resolves when every slot that holds groups and that this broker leads is open. What
   * failed is begun again, and so is what began before leaders changed.
   */
  openAll(): Promise<void> {
    const { viewVersion } = this.#deps.view;
    if (viewVersion !== this.#openingVersion) this.#openingAll = undefined;
    this.#openingVersion = viewVersion;
    this.#openingAll ??= this.#openStored().catch((error: unknown) => {
      this.#openingAll = undefined;
      throw error;
    });
    return this.#openingAll;
  }

  /** Those of the slots that hold groups are opened, so that sessions end even where nobody asks. */
  async openLed(slots: readonly Slot[]): Promise<void> {
    await inLanes(slots, slotsOpeningMax, (slot) => {
      return this.#openWithGroups({ first: slot, end: slot + 1 });
    });
  }

  /**
   * The slots go to another broker: what was decided is written, what waits is sent there. Should
   * they come back before that is done, they are loaded after it.
   */
  async release(slots: ReadonlySet<Slot>): Promise<void> {
    const opening = [...this.#opening].filter(([slot]) => slots.has(slot));
    await Promise.allSettled(opening.map(([, one]) => one));
    const held = [...this.#open.values()].filter(({ slot }) => slots.has(slot));
    for (const groups of held) this.#closeSlot(groups);
    // Those of an earlier release, too, that was given up.
    const closing = [...this.#closing].filter(([slot]) => slots.has(slot));
    await Promise.all(closing.map(([, one]) => one));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#opening.values());
    const open = [...this.#open.values()].map((slot) => slot.close());
    await Promise.all([...open, ...this.#closing.values()]);
    this.#open.clear();
  }

  #closeSlot(groups: GroupSlot): void {
    const { slot } = groups;
    this.#open.delete(slot);
    const closing = groups.close().finally(() => this.#closing.delete(slot));
    this.#closing.set(slot, closing);
  }

  #openSlot(number: Slot): Promise<GroupSlot> {
    const before = this.#opening.get(number);
    if (before !== undefined) return before;
    const opening = this.#load(number).finally(() => this.#opening.delete(number));
    this.#opening.set(number, opening);
    return opening;
  }

  async #load(number: Slot): Promise<GroupSlot> {
    if (this.#isClosed) throw new SlotLostError("notCoordinator");
    const { clock, cluster, settings, view } = this.#deps;
    // Another's slot is not claimed, whoever asks.
    if (!view.leads(number)) throw new NotLeaderError(number);
    const claimed = await cluster.openSlot(number);
    const groups = new GroupSlot({ slot: number, clock, ...this.#options });
    const writer = new SlotWriter({
      access: this.#access,
      guarded: this.#guarded,
      slot: number,
      ...claimed,
      nextStamp: () => {
        this.#stamp += 1;
        return this.#stamp;
      },
      onLost: () => this.#lost(groups),
    });
    // Writes that are under way `settle` does not keep out, and they are acknowledged when they are
    // done: what is read before would go without them. They end as every write does, by bounded
    // tries; until then whoever asks waits, as for the reads.
    await this.#closing.get(number);
    // A write of this very process, given up before the slot was lost, must not come after the reads.
    await this.#guarded.settle(keys.head(number));
    const unwrittenMs = retentionMsOf(settings) / commitRefreshParts;
    await loadSlot(this.#access, groups, { writer, unwrittenMs });
    this.#open.set(number, groups);
    return groups;
  }

  /** A slot that goes to another broker at this very moment is no failure of the others. */
  async #openWithGroups(range: { readonly first: number; readonly end: number }): Promise<void> {
    const { seeker, view } = this.#deps;
    const leads = (slot: Slot): boolean => !this.#isClosed && view.leads(slot);
    for await (const number of slotsWithGroups(this.#access, { ...range, seeker, leads })) {
      if (this.#isClosed) return;
      if (this.#open.has(number)) continue;
      try {
        await this.#openSlot(number);
      } catch (error) {
        if (!(error instanceof NotLeaderError)) throw error;
      }
    }
  }

  #lost(groups: GroupSlot): void {
    this.#options.metrics.slotsLost.add(1);
    // One that is being closed is not there any more.
    if (this.#open.get(groups.slot) === groups) this.#open.delete(groups.slot);
    groups.abandon();
    this.#reopenLater(groups.slot);
  }

  #reopenLater(number: Slot): void {
    this.#deps.clock.after(slotReopenMs, () => {
      if (this.#isClosed || this.#open.has(number)) return;
      this.#openSlot(number).catch((error: unknown) => {
        if (unavailable(error) === "coordinatorNotAvailable") this.#reopenLater(number);
      });
    });
  }

  async #openStored(): Promise<void> {
    const { slots } = this.#deps.cluster;
    const openSome = (first: number): Promise<void> => {
      return this.#openWithGroups({ first, end: Math.min(first + slotsEach, slots) });
    };
    const slotsEach = Math.ceil(slots / slotsOpeningMax);
    const firsts = Array.from({ length: Math.ceil(slots / slotsEach) }, (_, at) => at * slotsEach);
    await Promise.all(firsts.map(openSome));
  }
}

export function retentionMsOf(settings: GroupSettings): number {
  return settings.offsetsRetentionMinutes * 60_000;
}

/** The failures that an owner of slots expects, as a reason to tell; any other one is a bug. */
export function unavailable(error: unknown): Unavailable {
  if (error instanceof SlotLostError) return error.reason;
  if (error instanceof FencedError || error instanceof NotLeaderError) return "notCoordinator";
  // To open a slot a former owner's journal is closed, which takes the object store.
  if (isStoreError(error)) return "coordinatorNotAvailable";
  throw error;
}
