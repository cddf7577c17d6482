import type { Slot } from "@millrace/core";
import type { AppendJournal } from "../journal/append-journal.ts";
import type { Checkpointer } from "../tier/checkpointer.ts";
import type { PartitionOwner } from "./owner.ts";

/** A move that stops slots; once it is off, nothing of it stops anything more. */
export interface Stop {
  readonly isOff: boolean;
}

type HandoverCheckpointer = Pick<Checkpointer<PartitionOwner>, "takeAll" | "takeRest">;

export interface SlotHandoverDeps {
  readonly journal: Pick<AppendJournal, "hurry">;
  /** Loaded partitions of the slots. */
  readonly ownersOf: (slots: ReadonlySet<Slot>) => readonly PartitionOwner[];
  /** Resolves when none of the slots' partitions is being loaded. */
  readonly loaded: (slots: ReadonlySet<Slot>) => Promise<void>;
  /** Takes what logs have into the object store. Undefined: there is none. */
  readonly checkpointer: () => HandoverCheckpointer | undefined;
  /** Whether registered checkpoints tell all that is packed of the slot at its present epoch. */
  readonly isSlotHeld: (slot: Slot) => boolean;
  /** Closes them; resolves when nothing of them is under way. Their files go later. */
  readonly close: (owners: readonly PartitionOwner[]) => Promise<void>;
  /** The object store's side of the slot is another owner's. */
  readonly closeCold: (slot: Slot, how: "released" | "lost") => Promise<void>;
}

/**
 * What of a graceful move happens to partitions (ownership rule 14): `prepare` while they serve;
 * then, when nobody can load one of the slots any more, `stop` and `handOver`; then their heads are
 * released, and they are closed. Until the release the move can be called off: `resume`.
 */
export class SlotHandover {
  readonly #deps: SlotHandoverDeps;

  constructor(deps: SlotHandoverDeps) {
    this.#deps = deps;
  }

  /** While the slots serve: what is left to hand over becomes small. */
  async prepare(): Promise<void> {
    await this.#deps.checkpointer()?.takeAll();
  }

  /** From now on no append is taken; resolves when those that were taken are durable. */
  async stop(slots: ReadonlySet<Slot>, stop: Stop): Promise<void> {
    const { journal, loaded, ownersOf } = this.#deps;
    await loaded(slots);
    if (stop.isOff) return;
    const owners = ownersOf(slots);
    for (const owner of owners) owner.pause();
    journal.hurry();
    await Promise.all(owners.map((owner) => owner.settled()));
  }

  /** Whether all of the slots lies in the object store; nothing was appended since `stop`. */
  async handOver(slots: ReadonlySet<Slot>): Promise<boolean> {
    const { checkpointer, isSlotHeld, ownersOf } = this.#deps;
    await checkpointer()?.takeRest(slots);
    // Other slots' partitions may have failed in that round: only these matter.
    return ownersOf(slots).every(isHeld) && [...slots].every(isSlotHeld);
  }

  /** The move was called off. */
  resume(slots: ReadonlySet<Slot>): void {
    for (const owner of this.#deps.ownersOf(slots)) owner.resume();
  }

  /** The slots are another broker's, or nobody's. Never rejects: there is no way back. */
  async close(slots: ReadonlySet<Slot>, how: "released" | "lost"): Promise<void> {
    const { close, closeCold, loaded, ownersOf } = this.#deps;
    await loaded(slots);
    await close(ownersOf(slots));
    for (const slot of slots) await closeCold(slot, how);
  }
}

/** Of a partition whose append failed nobody can say what the journal has. */
function isHeld({ isOver, isStalled, log, tiered }: PartitionOwner): boolean {
  if (isOver || isStalled) return false;
  return (tiered?.cold.endOffset ?? log.logStartOffset) >= log.endOffset;
}
