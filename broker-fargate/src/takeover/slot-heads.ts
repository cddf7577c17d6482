import {
  checkOpen,
  type IncarnationId,
  inLanes,
  type Item,
  keys,
  MetadataError,
  type Slot,
  type Write,
} from "@millrace/core";
import { given, read, type StoreAccess, transact } from "../cluster/persist.ts";
import { FencedError } from "../cluster/slot-claims.ts";
import { headReadsInFlightMax } from "./limits.ts";

/** Heads as they are, by slot; undefined: the slot has none. */
export type ReadHeads = ReadonlyMap<Slot, Item | undefined>;

/** Reads and writes heads for one incarnation (ownership rules 9 and 11 e). */
export class SlotHeads {
  readonly #access: StoreAccess;
  readonly #incarnation: IncarnationId;
  #refused = 0;

  constructor(access: StoreAccess, incarnation: IncarnationId) {
    this.#access = access;
    this.#incarnation = incarnation;
  }

  /** Writes that somebody else was faster than. */
  get refused(): number {
    return this.#refused;
  }

  /** Strong reads, several at a time. Rejects with MetadataError. */
  async readAll(slots: readonly Slot[]): Promise<ReadHeads> {
    const heads = new Map<Slot, Item | undefined>();
    await inLanes(slots, headReadsInFlightMax, async (slot) => {
      heads.set(slot, await this.readOne(slot));
    });
    return heads;
  }

  readOne(slot: Slot): Promise<Item | undefined> {
    return read(this.#access, keys.head(slot));
  }

  /**
   * Writes those heads for which `decide` has a write, given each as it is, all or none, on
   * condition that this incarnation's journal is open; decided anew where somebody else wrote
   * meanwhile. As many slots as one transaction holds. Rejects with FencedError, or MetadataError:
   * then it may have happened, unless that says `applied: "no"`, and reading tells.
   */
  async write(
    slots: readonly Slot[],
    decide: (slot: Slot, item: Item | undefined) => Write | undefined,
  ): Promise<void> {
    let mayBeApplied = false;
    for (;;) {
      try {
        if ((await this.#tryToWrite(slots, decide)) === "written") return;
      } catch (error) {
        throw error instanceof MetadataError ? given(error, mayBeApplied) : error;
      }
      this.#refused += 1;
      // Perhaps by an earlier try of the very same, whose reply was lost.
      mayBeApplied = true;
    }
  }

  async #tryToWrite(
    slots: readonly Slot[],
    decide: (slot: Slot, item: Item | undefined) => Write | undefined,
  ): Promise<"written" | "refused"> {
    const own = keys.incarnation(this.#incarnation);
    const [mine, heads] = await Promise.all([read(this.#access, own), this.readAll(slots)]);
    if (mine?.value["state"] !== "open") {
      throw new FencedError("this incarnation's journal is closed");
    }
    const writes = slots
      .map((slot) => decide(slot, heads.get(slot)))
      .filter((write) => write !== undefined);
    if (writes.length === 0) return "written";
    const outcome = await transact(this.#access, [...writes, checkOpen(mine)], () => false);
    return outcome.ok ? "written" : "refused";
  }

  /** One head alone, while this incarnation owns it at its epoch: no need to look at the journal. */
  async writeOwn(write: Write): Promise<"written" | "refused"> {
    const outcome = await transact(this.#access, [write], () => false);
    if (!outcome.ok) this.#refused += 1;
    return outcome.ok ? "written" : "refused";
  }
}
