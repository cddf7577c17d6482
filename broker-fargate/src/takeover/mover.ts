import {
  type Clock,
  DiskError,
  type IncarnationId,
  leaderOf,
  MetadataError,
  type Move,
  moveMsMax,
  ObjectError,
  type Slot,
  slotsOf,
} from "@millrace/core";
import type { Membership } from "../cluster/membership.ts";
import { FencedError } from "../cluster/slot-claims.ts";
import type { SlotHandover } from "../partition/slot-handover.ts";
import { moveRetryMs } from "./limits.ts";
import type { SlotOpener } from "./slot-opener.ts";

export interface MoverDeps {
  readonly clock: Clock;
  readonly membership: Pick<
    Membership,
    "incarnation" | "leadership" | "live" | "writeMoved" | "writeTakenBack"
  >;
  /** Whether this incarnation is known to be over. */
  readonly isOver: () => boolean;
  readonly opener: Pick<SlotOpener, "find" | "opened" | "release">;
  readonly partitions: SlotHandover;
  /** The slots' groups are written, and answered by this broker no more. */
  readonly closeGroups: (slots: readonly Slot[]) => Promise<void>;
  /** The slots, all or some of which were moved away, are this broker's after all. */
  readonly resumed: (slots: readonly Slot[]) => void;
  readonly onOver: (cause: unknown) => void;
  readonly warn: (what: string, cause: unknown) => void;
}

/**
 * Hands slots over, as leadership wishes it (ownership rule 14), one wish after another:
 *
 *     checkpoint while they serve → stop: no append, no group → what was taken is durable → the rest
 *     in one more checkpoint → heads released → leadership names the next owner
 *
 * Whatever fails before the release calls the move off, and so does its taking too long; after it
 * the move is completed: to another broker, or back, where the one that was wished for is gone.
 */
export class Mover {
  readonly #deps: MoverDeps;
  /** Those that this broker does not serve though leadership names it. */
  readonly #stopped = new Set<Slot>();
  #running: Promise<void> | undefined;
  #isClosed = false;

  constructor(deps: MoverDeps) {
    this.#deps = deps;
  }

  /** Whether the slot is on its way to another broker: it is not opened, nor served. */
  isStopped(slot: Slot): boolean {
    return this.#stopped.has(slot);
  }

  /** Leadership may have wishes. */
  look(): void {
    if (this.#running !== undefined || this.#isClosed) return;
    const wish = this.#nextWish();
    if (wish === undefined) return;
    this.#running = this.#carryOut(wish).then((outcome) => {
      this.#running = undefined;
      if (outcome === "moved") this.look();
      else if (!this.#isClosed) this.#deps.clock.after(moveRetryMs, () => this.look());
    });
  }

  /** Resolves when no move is under way; none comes after. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#running;
  }

  #nextWish(): Move | undefined {
    const { incarnation, leadership } = this.#deps.membership;
    return this.#deps.isOver()
      ? undefined
      : leadership.moves.find(({ from }) => from === incarnation);
  }

  async #carryOut(wish: Move): Promise<"moved" | "calledOff"> {
    const { onOver } = this.#deps;
    const slots = wish.slots.filter((slot) => this.#leads(slot));
    try {
      const outcome = await this.#hand(new Set(slots));
      if (outcome === "calledOff") return outcome;
      await this.#complete(slots, wish.to);
      return "moved";
    } catch (error) {
      if (!(error instanceof FencedError)) throw error;
      onOver(error);
      return "calledOff";
    }
  }

  /** After it the slots have no owner. Rejects with FencedError. */
  async #hand(slots: ReadonlySet<Slot>): Promise<"released" | "calledOff"> {
    const { clock, closeGroups, opener, partitions, resumed, warn } = this.#deps;
    const begunMs = clock.monotonicMs();
    await partitions.prepare();
    for (const slot of slots) this.#stopped.add(slot);
    try {
      await opener.opened(slots);
      await closeGroups([...slots]);
      await partitions.stop(slots);
      const isWhole = await partitions.handOver(slots);
      const isInTime = clock.monotonicMs() - begunMs <= moveMsMax;
      if (isWhole && isInTime) {
        await this.#release(slots);
        return "released";
      }
      warn(
        "a move of slots is called off",
        isWhole ? "it took too long" : "no checkpoint was made",
      );
    } catch (error) {
      if (!isOperational(error)) throw error;
      warn("a move of slots is called off", error);
    }
    for (const slot of slots) this.#stopped.delete(slot);
    partitions.resume(slots);
    resumed([...slots]);
    return "calledOff";
  }

  /** Of those that are open; the others' heads are as a former owner left them. */
  async #release(slots: ReadonlySet<Slot>): Promise<void> {
    const { opener, partitions } = this.#deps;
    const open = [...slots].filter((slot) => opener.find(slot) !== undefined);
    // Whether a write that failed had its effect, the next one tells.
    await this.#untilDone("released slots", () => opener.release(open));
    await partitions.close(slots, "released");
  }

  async #complete(slots: readonly Slot[], wished: IncarnationId): Promise<void> {
    const { membership, resumed } = this.#deps;
    await this.#untilDone("moved slots", async () => {
      const to = this.#receiver(wished);
      if (to === undefined) await membership.writeTakenBack(slots);
      else if ((await membership.writeMoved(slots, to)) === "refused") throw goneMeanwhile;
    });
    for (const slot of slots) this.#stopped.delete(slot);
    const kept = slots.filter((slot) => this.#leads(slot));
    if (kept.length > 0) resumed(kept);
  }

  /** Who gets the slots; undefined: nobody but this broker is there. */
  #receiver(wished: IncarnationId): IncarnationId | undefined {
    const { incarnation, live } = this.#deps.membership;
    const others = live.map((one) => one.incarnation).filter((one) => one !== incarnation);
    return others.find((one) => one === wished) ?? this.#staying()[0] ?? others[0];
  }

  /** The others that do not leave. */
  #staying(): readonly IncarnationId[] {
    const { incarnation, live } = this.#deps.membership;
    return live
      .filter((one) => one.incarnation !== incarnation && !one.heartbeat.isDraining)
      .map((one) => one.incarnation);
  }

  /** Whether anybody is there who may get slots: not those that leave, too. */
  get hasReceivers(): boolean {
    return this.#staying().length > 0;
  }

  /** Repeats what the store did not answer, for as long as this incarnation lives. */
  async #untilDone(what: string, run: () => Promise<void>): Promise<void> {
    const { clock, isOver, warn } = this.#deps;
    for (;;) {
      try {
        await run();
        return;
      } catch (error) {
        if (!(error instanceof MetadataError)) throw error;
        if (isOver() || this.#isClosed) throw new FencedError(`${what}: this is over`);
        warn(`${what} could not be written down yet`, error);
        await new Promise<void>((resolve) => clock.after(moveRetryMs, resolve));
      }
    }
  }

  #leads(slot: Slot): boolean {
    const { incarnation, leadership } = this.#deps.membership;
    return leaderOf(leadership, slot)?.incarnation === incarnation;
  }

  /** Whether leadership names this broker for nothing any more. */
  get isEmpty(): boolean {
    const { incarnation, leadership } = this.#deps.membership;
    return slotsOf(leadership, incarnation).length === 0;
  }
}

const goneMeanwhile = new MetadataError("the broker that was to get them is gone", {
  retriable: true,
  applied: "no",
});

function isOperational(error: unknown): boolean {
  return (
    error instanceof MetadataError || error instanceof ObjectError || error instanceof DiskError
  );
}
