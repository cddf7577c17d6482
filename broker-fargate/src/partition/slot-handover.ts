import type { Slot } from "@millrace/core";
import type { PartitionOwner } from "./owner.ts";

export interface SlotHandoverDeps {
  /** Loaded partitions of the slots. */
  readonly ownersOf: (slots: ReadonlySet<Slot>) => readonly PartitionOwner[];
  /** Resolves when none of the slots' partitions is being loaded. */
  readonly loaded: (slots: ReadonlySet<Slot>) => Promise<void>;
  /** Takes all that logs have into the object store, now. */
  readonly checkpoint: () => Promise<"done" | "failed">;
  /** Closes them; resolves when nothing of them is under way, and their files are gone. */
  readonly close: (owners: readonly PartitionOwner[]) => Promise<void>;
  /** The object store's side of the slot is another owner's. */
  readonly closeCold: (slot: Slot, how: "released" | "lost") => void;
}

/**
 * What of a graceful move happens to partitions (ownership rule 14): `prepare` while they serve,
 * `stop`, `handOver`; then their heads are released, and they are closed. Until then the move can be
 * called off: `resume`.
 */
export class SlotHandover {
  readonly #deps: SlotHandoverDeps;

  constructor(deps: SlotHandoverDeps) {
    this.#deps = deps;
  }

  /** While the slots serve: what is left to hand over becomes small. */
  async prepare(): Promise<void> {
    await this.#deps.checkpoint();
  }

  /** From now on no append is taken; resolves when those that were taken are durable. */
  async stop(slots: ReadonlySet<Slot>): Promise<void> {
    const { loaded, ownersOf } = this.#deps;
    await loaded(slots);
    const owners = ownersOf(slots);
    for (const owner of owners) owner.pause();
    await Promise.all(owners.map((owner) => owner.settled()));
  }

  /** Whether all of the slots lies in the object store; nothing was appended since `stop`. */
  async handOver(slots: ReadonlySet<Slot>): Promise<boolean> {
    const { checkpoint, ownersOf } = this.#deps;
    // Of those whose append failed nobody can say what the journal has.
    if (ownersOf(slots).some((owner) => owner.isOver || owner.isStalled)) return false;
    return (await checkpoint()) === "done";
  }

  /** The move was called off. */
  resume(slots: ReadonlySet<Slot>): void {
    for (const owner of this.#deps.ownersOf(slots)) owner.resume();
  }

  /** The slots are another broker's, or nobody's. */
  async close(slots: ReadonlySet<Slot>, how: "released" | "lost"): Promise<void> {
    const { close, closeCold, loaded, ownersOf } = this.#deps;
    await loaded(slots);
    await close(ownersOf(slots));
    for (const slot of slots) closeCold(slot, how);
  }
}
