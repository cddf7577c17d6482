import { assert, inLanes, keys, MetadataError, transactWritesMax } from "@millrace/core";
import type { Epoch, Slot, Write } from "@millrace/core";
import { GuardedWrites } from "../cluster/guarded-writes.ts";
import type { Guard } from "../cluster/guarded-writes.ts";
import { headGuard } from "../cluster/head-guard.ts";
import type { StoreAccess } from "../cluster/persist.ts";
import { FencedError } from "../cluster/slot-claims.ts";
import type { OpenSlot } from "../cluster/slot-claims.ts";
import { slotsApartMax } from "./limits.ts";

/** A slot, and under which epoch its owner writes. */
export interface WritableSlot {
  readonly slot: Slot;
  readonly openSlot: OpenSlot;
}

interface Unit {
  readonly writes: readonly Write[];
  readonly at: WritableSlot;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Writes of a slot's owner to items under its slots.
 *
 * An absent item can carry no claim, so each transaction holds on condition that the slots' heads
 * are as the owner knows them: an epoch belongs to one incarnation (ownership rules 9 and 10). So
 * one of the owner's own that takes effect late, after its successor, is refused as well (see
 * GuardedWrites). While one transaction is under way further units collect for the next one; units
 * that write one key follow each other in the order in which they came.
 */
export class SlotWrites {
  readonly #guarded: GuardedWrites;
  #units: Unit[] = [];
  #writing = false;

  constructor(access: StoreAccess) {
    this.#guarded = new GuardedWrites(access);
  }

  /**
   * Makes the writes, all of them or none. Rejects with MetadataError, when nobody knows whether
   * they were made, or ever will be, before others are or `settled` resolves; or with FencedError.
   */
  write(at: WritableSlot, writes: readonly Write[]): Promise<void> {
    assert(writes.length < transactWritesMax, "a unit's writes fit into one transaction");
    return new Promise((done, failed) => {
      this.#units.push({ writes, at, done, failed });
      if (this.#writing) return;
      this.#writing = true;
      queueMicrotask(() => void this.#writeAll());
    });
  }

  /**
   * Resolves when no write of the slot that failed can take effect any more: what is read after
   * that is decided. Rejects with MetadataError.
   */
  settled(slot: Slot): Promise<void> {
    return this.#guarded.settle(keys.head(slot));
  }

  async #writeAll(): Promise<void> {
    while (this.#units.length > 0) await this.#writeTogether(this.#take());
    this.#writing = false;
  }

  async #writeTogether(units: readonly Unit[]): Promise<void> {
    let left = units;
    try {
      while (left.length > 0) {
        const over = await this.#tryTogether(left);
        const isOver = ({ at }: Unit): boolean => over.has(keys.head(at.slot));
        // One slot's loss is no matter of the others.
        for (const { at, failed } of left.filter(isOver)) {
          failed(new FencedError(`slot ${at.slot} is another owner's`));
        }
        if (over.size === 0) break;
        left = left.filter((unit) => !isOver(unit));
      }
      for (const { done } of left) done();
    } catch (error) {
      const apart = isRefusedTogether(error) ? bySlot(left) : [];
      if (apart.length > 1) await inLanes(apart, slotsApartMax, (one) => this.#writeTogether(one));
      else for (const { failed } of left) failed(error);
    }
  }

  /** The heads that do not allow it any more: nothing was written then. */
  async #tryTogether(units: readonly Unit[]): Promise<ReadonlySet<string>> {
    const guards = new Map(units.map(({ at }) => [at.slot, guardOf(at)]));
    const writes = units.flatMap((unit) => unit.writes);
    // The items are this owner's alone, so an earlier try's effect refuses nothing.
    const outcome = await this.#guarded.transact([...guards.values()], writes, () => false);
    assert(outcome.kind !== "refused", "the writes have no conditions of their own");
    return outcome.kind === "over" ? outcome.guards : new Set();
  }

  /** As many units as one transaction holds, with one guard for each of their slots. */
  #take(): readonly Unit[] {
    const heads = new Map<Slot, Epoch>();
    const written = new Set<string>();
    let count = 0;
    for (const { at, writes } of this.#units) {
      const { epoch } = at.openSlot;
      // A slot that came back is another one.
      if ((heads.get(at.slot) ?? epoch) !== epoch) break;
      heads.set(at.slot, epoch);
      if (written.size + writes.length + heads.size > transactWritesMax) break;
      if (writes.some(({ key }) => written.has(key))) break;
      for (const { key } of writes) written.add(key);
      count += 1;
    }
    return this.#units.splice(0, count);
  }
}

/** Nothing was written: one slot's items may be what the store has no room for at the moment. */
function isRefusedTogether(error: unknown): boolean {
  return error instanceof MetadataError && error.retriable && error.applied === "no";
}

/** Each slot's, in their order. */
function bySlot(units: readonly Unit[]): readonly (readonly Unit[])[] {
  return [...Map.groupBy(units, ({ at }) => at.slot).values()];
}

function guardOf({ openSlot, slot }: WritableSlot): Guard {
  return headGuard(slot, openSlot.epoch);
}
