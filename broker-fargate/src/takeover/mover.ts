import {
  type Clock,
  type IncarnationId,
  leaderOf,
  MetadataError,
  type Move,
  moveMsMax,
  type Slot,
  slotsOf,
  type Timer,
} from "@millrace/core";
import { receiverSeenMsMax } from "../cluster/limits.ts";
import type { Membership } from "../cluster/membership.ts";
import { FencedError } from "../cluster/slot-claims.ts";
import { NotLeaderError } from "../cluster/cluster-view.ts";
import { untilSo } from "../cluster/until-so.ts";
import type { SlotHandover, Stop } from "../partition/slot-handover.ts";
import { isStoreError } from "../partition/store-error.ts";
import { moveRetryMs, moveStoppedMsMax } from "./limits.ts";
import type { SlotOpener } from "./slot-opener.ts";

export interface MoverDeps {
  readonly clock: Clock;
  readonly membership: Pick<
    Membership,
    | "hasEvidence"
    | "incarnation"
    | "leadership"
    | "live"
    | "onLook"
    | "receivers"
    | "seenVersion"
    | "writeMoved"
    | "writeTakenBack"
  >;
  /** Whether this incarnation is known to be over. */
  readonly isOver: () => boolean;
  readonly opener: Pick<
    SlotOpener,
    "takeOver" | "mayRelease" | "openOf" | "stop" | "resume" | "release" | "find"
  >;
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
 *     opened, and a checkpoint, while they serve → stop: nobody gets them, no append, no group → what
 *     was taken is durable → the rest in one more checkpoint → heads released → closed here →
 *     leadership names the next owner
 *
 * Whatever fails before the release calls the move off, and so does its taking too long, or a store
 * that certainly has made no release: the slots serve again, and the wish, if it stays, is tried again
 * after pauses that grow. From the release on the move is completed: to another broker, or back,
 * where the one that was wished for is gone.
 */
export class Mover {
  readonly #deps: MoverDeps;
  /** The one that is under way, and after it; undefined while a wish may be looked for. */
  #move: Promise<void> | undefined;
  #pause: Timer | undefined;
  #isClosed = false;
  /** Moves that were called off, one after another. */
  #calledOff = 0;

  constructor(deps: MoverDeps) {
    this.#deps = deps;
  }

  /** Leadership may have wishes. */
  look(): void {
    if (this.#move !== undefined || this.#pause !== undefined || this.#isClosed) return;
    const wish = this.#nextWish();
    if (wish === undefined) return;
    this.#move = this.#carryOut(wish).then((outcome) => {
      this.#move = undefined;
      if (outcome === "moved") this.#calledOff = 0;
      else this.#rest();
      this.look();
    });
  }

  #rest(): void {
    const pauseMs = Math.min(moveRetryMs * 2 ** this.#calledOff, moveMsMax);
    this.#calledOff += 1;
    if (this.#isClosed) return;
    this.#pause = this.#deps.clock.after(pauseMs, () => {
      this.#pause = undefined;
      this.look();
    });
  }

  /** Resolves when no move is under way; none comes after. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#pause?.cancel();
    await this.#move;
  }

  /** Whether leadership names this broker for nothing any more. */
  get isEmpty(): boolean {
    const { incarnation, leadership } = this.#deps.membership;
    return slotsOf(leadership, incarnation).length === 0;
  }

  /** Whether anybody is there to take slots. */
  get hasReceivers(): boolean {
    return this.#receivers.length > 0;
  }

  get #receivers(): readonly IncarnationId[] {
    const { incarnation, receivers } = this.#deps.membership;
    return receivers.map((one) => one.incarnation).filter((one) => one !== incarnation);
  }

  #nextWish(): Move | undefined {
    const { incarnation, leadership } = this.#deps.membership;
    return this.#deps.isOver()
      ? undefined
      : leadership.moves.find(({ from }) => from === incarnation);
  }

  async #carryOut(wish: Move): Promise<"moved" | "calledOff"> {
    const { onOver, opener, partitions, resumed } = this.#deps;
    const slots = new Set(wish.slots.filter((slot) => this.#leads(slot)));
    try {
      if ((await this.#handOver(slots, wish.to)) === "calledOff") return "calledOff";
      if (!(await this.#release(slots))) return "calledOff";
      await partitions.close(slots, "released");
      const isGiven = await this.#untilDone("leadership", () => this.#give([...slots], wish.to));
      if (!isGiven) return "calledOff";
    } catch (error) {
      if (!(error instanceof FencedError)) throw error;
      onOver(error);
      return "calledOff";
    }
    opener.resume(slots);
    const kept = [...slots].filter((slot) => this.#leads(slot));
    if (kept.length > 0) resumed(kept);
    return "moved";
  }

  /**
   * After it nothing of the slots is under way, all of them lies in the object store, and nobody gets
   * them here. Called off, they serve as before. Rejects with FencedError.
   */
  async #handOver(
    slots: ReadonlySet<Slot>,
    to: IncarnationId,
  ): Promise<"handedOver" | "calledOff"> {
    const { clock, membership, resumed } = this.#deps;
    const begunMs = clock.monotonicMs();
    const isReady = await this.#tried(() => this.#prepare(slots));
    await this.#isExpected(to);
    // While the metadata store is away no head can be released: the slots are not even stopped.
    const isTime = membership.hasEvidence && clock.monotonicMs() - begunMs <= moveMsMax;
    if (!isReady || !isTime) return this.#callOff("not ready");
    const stop = { isOff: false };
    const stopping = this.#tried(() => this.#stop(slots, stop));
    if (await within(clock, moveStoppedMsMax, stopping)) return "handedOver";
    stop.isOff = true;
    this.#serveAgain(slots);
    // What is late may close groups once more.
    stopping.then(() => resumed([...slots]), this.#late);
    return this.#callOff("it took too long, or not all could be handed over");
  }

  readonly #late = (error: unknown): void => {
    if (!(error instanceof FencedError)) throw error;
    this.#deps.onOver(error);
  };

  /** While the slots serve: what is left to do once they are stopped becomes small. */
  async #prepare(slots: ReadonlySet<Slot>): Promise<boolean> {
    const { opener, partitions } = this.#deps;
    const failed = await opener.takeOver([...slots]);
    for (const cause of failed.values()) throw cause;
    await partitions.prepare();
    return [...slots].every((slot) => opener.mayRelease(slot));
  }

  /**
   * The receiver knows of the wish, and so looks often enough to hear at once when the slots are its
   * own; or it has had the time. Slots serve meanwhile.
   */
  async #isExpected(to: IncarnationId): Promise<void> {
    const { clock, membership } = this.#deps;
    const { seenVersion } = membership;
    const hasSeen = (): boolean =>
      membership.live.every(
        ({ heartbeat, incarnation }) => incarnation !== to || heartbeat.seen >= seenVersion,
      );
    const onLook = (listener: () => void): (() => void) => membership.onLook(listener);
    await untilSo({ clock, isSo: hasSeen, onLook, msMax: receiverSeenMsMax });
  }

  async #stop(slots: ReadonlySet<Slot>, stop: Stop): Promise<boolean> {
    const { closeGroups, opener, partitions } = this.#deps;
    if ((await opener.stop(slots)) === "failed") return false;
    await closeGroups([...slots]);
    if (stop.isOff) return false;
    await partitions.stop(slots, stop);
    return !stop.isOff && (await partitions.handOver(slots)) && !stop.isOff;
  }

  /**
   * False: this incarnation is over, or the slots serve as before, because the store certainly
   * released none of them. Rejects with FencedError.
   */
  async #release(slots: ReadonlySet<Slot>): Promise<boolean> {
    const { opener } = this.#deps;
    const before = opener.openOf(slots);
    try {
      await opener.release(slots);
      return true;
    } catch (error) {
      if (!(error instanceof MetadataError)) throw error;
      this.#deps.warn("a move's heads could not be written yet", error);
      if (error.applied === "no" && opener.openOf(slots) === before) {
        this.#serveAgain(slots);
        return false;
      }
    }
    return this.#untilDone("heads", () => opener.release(slots));
  }

  #serveAgain(slots: ReadonlySet<Slot>): void {
    const { opener, partitions, resumed } = this.#deps;
    opener.resume(slots);
    partitions.resume(slots);
    resumed([...slots]);
  }

  #callOff(why: string): "calledOff" {
    this.#deps.warn("a move of slots is called off", why);
    return "calledOff";
  }

  /** False where a store or the disk failed. Rejects with FencedError. */
  async #tried(run: () => Promise<boolean>): Promise<boolean> {
    try {
      return await run();
    } catch (error) {
      if (!isOperational(error)) throw error;
      this.#deps.warn("a move of slots can't go on", error);
      return false;
    }
  }

  async #give(slots: readonly Slot[], wished: IncarnationId): Promise<void> {
    const { membership } = this.#deps;
    const to = this.#receiver(wished);
    if (to === undefined) await membership.writeTakenBack(slots);
    else if ((await membership.writeMoved(slots, to)) === "refused") throw goneMeanwhile;
  }

  /** Who gets the slots; undefined: nobody but this broker is there. */
  #receiver(wished: IncarnationId): IncarnationId | undefined {
    const receivers = this.#receivers;
    return receivers.find((one) => one === wished) ?? receivers[0];
  }

  /**
   * Repeats what the store did not answer, for as long as this incarnation lives: what happened the
   * next try finds out. False: this is over, and others find the slots as they are.
   */
  async #untilDone(what: string, run: () => Promise<void>): Promise<boolean> {
    const { clock, isOver, warn } = this.#deps;
    for (;;) {
      try {
        await run();
        return true;
      } catch (error) {
        if (!(error instanceof MetadataError)) throw error;
        if (isOver() || this.#isClosed) return false;
        warn(`a move's ${what} could not be written yet`, error);
        await new Promise<void>((resolve) => clock.after(moveRetryMs, resolve));
      }
    }
  }

  #leads(slot: Slot): boolean {
    const { incarnation, leadership } = this.#deps.membership;
    return leaderOf(leadership, slot)?.incarnation === incarnation;
  }
}

const goneMeanwhile = new MetadataError("the broker that was to get them is gone", {
  retriable: true,
  applied: "no",
});

function isOperational(error: unknown): boolean {
  return isStoreError(error) || error instanceof NotLeaderError;
}

/** Whether it ends well by then. Rejects as it does, if it does so by then. */
function within(clock: Clock, ms: number, run: Promise<boolean>): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(ms, () => resolve(false));
    const over = (): void => timer.cancel();
    run.then(resolve, reject).finally(over);
  });
}
