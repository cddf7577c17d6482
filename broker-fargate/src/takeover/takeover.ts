import { inLanes } from "@millrace/core";
import type { Clock, Slot, TopicId } from "@millrace/core";
import { NotLeaderError } from "../cluster/cluster-view.ts";
import { FencedError } from "../cluster/slot-claims.ts";
import { UnknownPartitionError } from "../partition/partitions-deps.ts";
import { isStoreError } from "../partition/store-error.ts";
import { adoptionRetryMs, adoptionsAtOnceMax, takeoverRetryMs } from "./limits.ts";
import { SlotLane } from "./slot-lane.ts";
import type { SlotOpener } from "./slot-opener.ts";

export interface PartitionRef {
  readonly topicId: TopicId;
  readonly partition: number;
}

/** What this broker does for the slots that it owns. */
export interface SlotWork {
  /** The slots' groups go on: their members' sessions end even where nobody asks. */
  openGroups(slots: readonly Slot[]): Promise<void>;
  /** The slot's partitions that former owners' journals tell of. */
  waitingPartitions(slot: Slot): readonly PartitionRef[];
  /** Loads it, so that it goes into this broker's checkpoint. Rejects as Partitions.open. */
  adoptPartition(at: PartitionRef): Promise<void>;
  /** What former owners packed of the slot goes into this broker's checkpoint. */
  adoptPacks(slot: Slot): Promise<void>;
}

export interface TakeoverDeps {
  readonly clock: Clock;
  readonly opener: Pick<SlotOpener, "takeOver" | "find" | "sourcesOf" | "lostOf" | "findLost">;
  readonly work: SlotWork;
  readonly leads: (slot: Slot) => boolean;
  /** Slots that somebody had, perhaps this broker, are open: clients may wait for them. */
  readonly onOpen: () => void;
  /** This incarnation is over. */
  readonly onOver: (cause: unknown) => void;
  readonly warn: (what: string, cause: unknown) => void;
}

/**
 * Opens the slots that leadership gives this broker, at once, and then takes into its own checkpoints
 * what former owners left of them, in the background: the slots serve meanwhile (ownership rule 12).
 * What fails is tried again for as long as the slot is this broker's.
 */
export class Takeover {
  readonly #deps: TakeoverDeps;
  readonly #opening: SlotLane;
  readonly #adopting: SlotLane;
  #isClosed = false;

  constructor(deps: TakeoverDeps) {
    this.#deps = deps;
    const { clock } = deps;
    this.#opening = new SlotLane({
      clock,
      retryMs: takeoverRetryMs,
      work: (slots) => this.#open(slots),
    });
    this.#adopting = new SlotLane({
      clock,
      retryMs: adoptionRetryMs,
      work: (slots) => this.#adopt(slots),
    });
  }

  /** Leadership gives these to this broker. */
  begin(slots: readonly Slot[]): void {
    this.#opening.add(slots);
  }

  /** Slots that are not open yet. */
  get openingSlots(): number {
    return this.#opening.size;
  }

  /** Slots that serve, and of which not all is copied yet, or nobody has looked whether it is. */
  get adoptingSlots(): number {
    return this.#adopting.size;
  }

  /** Resolves when nothing of it is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([this.#opening.close(), this.#adopting.close()]);
  }

  /** One that fails holds up no other. */
  async #open(slots: readonly Slot[]): Promise<readonly Slot[]> {
    const { leads, onOpen, opener, work } = this.#deps;
    const wanted = slots.filter((slot) => leads(slot));
    try {
      const failed = await opener.takeOver(wanted);
      for (const cause of new Set(failed.values())) {
        this.#explain(cause, "slots could not be taken over yet");
      }
      const open = wanted.filter((slot) => opener.find(slot) !== undefined);
      if (open.length > 0) onOpen();
      this.#adopting.add(open);
      await work.openGroups(open);
      return [...failed.keys()];
    } catch (error) {
      this.#explain(error, "slots could not be taken over yet");
      return wanted;
    }
  }

  async #adopt(slots: readonly Slot[]): Promise<readonly Slot[]> {
    const { opener } = this.#deps;
    const open = slots.filter((slot) => opener.find(slot) !== undefined);
    const failed: Slot[] = [];
    await inLanes(open, adoptionsAtOnceMax, async (slot) => {
      const hasFormer = opener.sourcesOf(slot).length > 0;
      if (hasFormer && !(await this.#adoptOne(slot))) failed.push(slot);
    });
    return failed;
  }

  /** False: some of it could not be copied yet. */
  async #adoptOne(slot: Slot): Promise<boolean> {
    const { opener, work } = this.#deps;
    let isDone = true;
    const tried = async (adopt: () => Promise<void>): Promise<void> => {
      if (this.#isClosed || opener.find(slot) === undefined) return;
      try {
        await adopt();
      } catch (error) {
        this.#explain(error, `what slot ${slot} had can't be copied yet`);
        isDone = false;
      }
    };
    await tried(() => opener.findLost(slot));
    for (const at of work.waitingPartitions(slot)) await tried(() => work.adoptPartition(at));
    await tried(() => work.adoptPacks(slot));
    return isDone && opener.lostOf(slot) === undefined;
  }

  #explain(error: unknown, what: string): void {
    if (error instanceof NotLeaderError || error instanceof UnknownPartitionError) return;
    if (error instanceof FencedError) this.#deps.onOver(error);
    else if (isStoreError(error)) this.#deps.warn(what, error);
    else throw error;
  }
}
