import { type GroupRules, MetadataError, type Slot } from "@millrace/core";
import type { StoreAccess } from "../cluster/persist.ts";
import { FencedError } from "../cluster/slot-claims.ts";
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
  readonly #open = new Map<Slot, GroupSlot>();
  readonly #opening = new Map<Slot, Promise<GroupSlot>>();
  #sweep: Promise<void> | undefined;
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

  /** Resolves when every slot that holds groups is open. A sweep that failed is begun again. */
  openAll(): Promise<void> {
    this.#sweep ??= this.#openStored().catch((error: unknown) => {
      this.#sweep = undefined;
      throw error;
    });
    return this.#sweep;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#opening.values());
    await Promise.all([...this.#open.values()].map((slot) => slot.close()));
    this.#open.clear();
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
    const { clock, cluster, settings } = this.#deps;
    const claimed = await cluster.openSlot(number);
    const groups = new GroupSlot({ slot: number, clock, ...this.#options });
    const writer = new SlotWriter({
      access: this.#access,
      slot: number,
      ...claimed,
      nextStamp: () => {
        this.#stamp += 1;
        return this.#stamp;
      },
      onLost: () => this.#lost(groups),
    });
    const unwrittenMs = retentionMsOf(settings) / commitRefreshParts;
    await loadSlot(this.#access, groups, { writer, unwrittenMs });
    this.#open.set(number, groups);
    return groups;
  }

  #lost(groups: GroupSlot): void {
    this.#options.metrics.slotsLost.add(1);
    this.#open.delete(groups.slot);
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
    const openSome = async (first: number): Promise<void> => {
      const end = Math.min(first + slotsEach, slots);
      for await (const number of slotsWithGroups(this.#access, { first, end })) {
        if (this.#isClosed) return;
        if (!this.#open.has(number)) await this.#openSlot(number);
      }
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
  if (error instanceof FencedError) return "notCoordinator";
  if (error instanceof MetadataError) return "coordinatorNotAvailable";
  throw error;
}
