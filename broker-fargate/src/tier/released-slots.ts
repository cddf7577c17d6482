import { type IncarnationId, inLanes, keys, readHead, type Slot } from "@millrace/core";
import { read, type StoreAccess } from "../cluster/persist.ts";
import { headReadsInFlightMax } from "../takeover/limits.ts";
import type { CheckpointWriter } from "./checkpoint-writer.ts";
import type { SlotPacks } from "./slot-packs.ts";

export interface ReleasedSlotsDeps extends StoreAccess {
  readonly incarnation: IncarnationId;
  readonly writer: Pick<CheckpointWriter, "dropLine">;
}

/**
 * Slots that this incarnation handed over. Their heads name it as a source: its checkpoints tell of
 * them, and keep what is packed of them, until the next owner has copied it (ownership rules 6, 14).
 */
export class ReleasedSlots {
  readonly #deps: ReleasedSlotsDeps;
  readonly #slots = new Map<Slot, SlotPacks>();

  constructor(deps: ReleasedSlotsDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#slots.size;
  }

  add(packs: SlotPacks): void {
    this.#slots.set(packs.slot, packs);
  }

  /** What must stay. */
  *objects(): IterableIterator<string> {
    for (const packs of this.#slots.values()) {
      yield* packs.named;
      for (const { cold } of packs.owners()) for (const { object } of cold.packed) yield object;
    }
  }

  /** Forgets those whose heads do not name this incarnation's epoch any more. Rejects with MetadataError. */
  async forgetCopied(): Promise<void> {
    const { incarnation, writer } = this.#deps;
    await inLanes([...this.#slots], headReadsInFlightMax, async ([slot, released]) => {
      const item = await read(this.#deps, keys.head(slot));
      const head = item === undefined ? undefined : readHead(item);
      const isNamed = head?.sources.some((source) => {
        return source.incarnation === incarnation && source.epoch === released.epoch;
      });
      if (isNamed === true || this.#slots.get(slot) !== released) return;
      this.#slots.delete(slot);
      writer.dropLine(slot, released.epoch);
    });
  }
}
