import { assert, keys, transactWritesMax } from "@millrace/core";
import type { Slot, Write } from "@millrace/core";
import { transact } from "../cluster/persist.ts";
import type { StoreAccess } from "../cluster/persist.ts";
import { FencedError } from "../cluster/slot-claims.ts";
import type { OpenSlot } from "../cluster/slot-claims.ts";

/** A slot, and under which epoch its owner writes. */
export interface WritableSlot {
  readonly slot: Slot;
  readonly openSlot: OpenSlot;
}

interface Unit {
  readonly writes: readonly Write[];
  readonly check: Write;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Writes of a slot's owner to items under its slots.
 *
 * An absent item can carry no claim, so each transaction holds on condition that the slots' heads
 * have no newer epoch than the owner's: an epoch belongs to one incarnation (ownership rules 9 and
 * 10). While one transaction is under way further units collect for the next one; units that write
 * one key follow each other in the order in which they came.
 */
export class SlotWrites {
  readonly #access: StoreAccess;
  #units: Unit[] = [];
  #writing = false;

  constructor(access: StoreAccess) {
    this.#access = access;
  }

  /**
   * Makes the writes, all of them or none. Rejects with MetadataError, when nobody knows whether
   * they were made, or with FencedError.
   */
  write(at: WritableSlot, writes: readonly Write[]): Promise<void> {
    assert(writes.length < transactWritesMax, "a unit's writes fit into one transaction");
    const condition = { is: "epochAtMost", epoch: at.openSlot.epoch } as const;
    const check: Write = { kind: "check", key: keys.head(at.slot), condition };
    return new Promise((done, failed) => {
      this.#units.push({ writes, check, done, failed });
      if (this.#writing) return;
      this.#writing = true;
      queueMicrotask(() => void this.#writeAll());
    });
  }

  async #writeAll(): Promise<void> {
    while (this.#units.length > 0) {
      const units = this.#take();
      const checks = new Map(units.map(({ check }) => [check.key, check]));
      const writes = [...checks.values(), ...units.flatMap((unit) => unit.writes)];
      try {
        // The items are this owner's alone, so an earlier try's effect refuses nothing.
        const outcome = await transact(this.#access, writes, () => false);
        if (!outcome.ok) throw new FencedError(`${outcome.refused[0]?.key} is another owner's`);
        for (const { done } of units) done();
      } catch (error) {
        for (const { failed } of units) failed(error);
      }
    }
    this.#writing = false;
  }

  /** As many units as one transaction holds, with one check for each of their slots. */
  #take(): readonly Unit[] {
    const heads = new Set<string>();
    const written = new Set<string>();
    let count = 0;
    for (const { check, writes } of this.#units) {
      heads.add(check.key);
      if (written.size + writes.length + heads.size > transactWritesMax) break;
      if (writes.some(({ key }) => written.has(key))) break;
      for (const { key } of writes) written.add(key);
      count += 1;
    }
    return this.#units.splice(0, count);
  }
}
