import { inLanes, type ReadBuffers, type Slot } from "@millrace/core";
import type { CheckpointWriter } from "./checkpoint-writer.ts";
import { CheckpointDamagedError } from "./former-checkpoints.ts";
import type { WrittenImage } from "./image-writer.ts";
import { headReadsInFlightMax } from "../takeover/limits.ts";
import type { TierLimits } from "./limits.ts";
import type { ObjectAccess } from "./object-access.ts";
import { PackRound } from "./pack-round.ts";
import { planMoves } from "./plan-moves.ts";
import type { SlotPacks } from "./slot-packs.ts";
import type { TailOwner, TailReader } from "./tail-reader.ts";

export type PackableOwner = TailOwner;

export interface PackedTail {
  readonly owner: PackableOwner;
  readonly from: number;
  readonly to: number;
  /** As of `to`. */
  readonly producers: Uint8Array;
}

export interface PackingDeps {
  readonly limits: TierLimits;
  readonly objects: ObjectAccess;
  readonly writer: CheckpointWriter;
  readonly tails: TailReader;
  /** Gets back what images were read into that no checkpoint takes. */
  readonly buffers: ReadBuffers;
  /** The slots whose packs are in memory. */
  readonly slots: () => Iterable<SlotPacks>;
  /** Slots that were handed over: what their packs lie in stays until the next owner copied it. */
  readonly released: {
    objects(): Iterable<string>;
    forgetCopied(): Promise<void>;
  };
  /** The slot's own checkpoint holds all of it: older sources may go. */
  readonly onCopied: (slot: Slot) => Promise<void>;
  /** Says what failed; throws what is a bug. */
  readonly explain: (error: unknown, what: string) => void;
}

/**
 * What a round packs: tails and the sections that changed go into checkpoints, packed parts move out
 * of the oldest ones, and checkpoints of which nothing counts any more are deleted.
 */
export class Packing {
  readonly #deps: PackingDeps;

  constructor(deps: PackingDeps) {
    this.#deps = deps;
  }

  /**
   * Adds to `failed` those whose tail is not stored this time: one holds up no others. `only`: somebody
   * waits for these slots, so that no others' sections are written, and nothing moves or is deleted.
   */
  async pack(
    tails: readonly PackedTail[],
    failed: Set<PackableOwner>,
    only?: ReadonlySet<Slot>,
  ): Promise<"done" | "failed"> {
    let outcome: "done" | "failed" = "done";
    const { limits, objects, writer } = this.#deps;
    const keptFrom =
      only === undefined ? planMoves(writer.checkpoints(), this.#liveBytes(), limits) : 0;
    if (keptFrom > 0) this.#markMoving(keptFrom);
    const round = new PackRound(writer, objects, keptFrom);
    try {
      for (const tail of tails) {
        if (!(await this.#packTail(round, tail, only))) failed.add(tail.owner);
      }
      await this.#addSlots(round, only);
      await round.flush();
      await inLanes([...round.registered], headReadsInFlightMax, ({ slot }) =>
        this.#deps.onCopied(slot),
      );
      if (only === undefined) {
        await this.#deps.released.forgetCopied();
        await writer.deleteUnused(this.#livePacks());
      }
    } catch (error) {
      round.giveUp();
      for (const { owner } of tails) failed.add(owner);
      outcome = "failed";
      this.#deps.explain(error, "a checkpoint could not be written");
    }
    for (const { owner } of tails) {
      if (round.leftOut.has(owner.tiered.packs)) failed.add(owner);
    }
    return outcome;
  }

  /** False: it could not be read, or not all of it fits one image. */
  async #packTail(
    round: PackRound,
    tail: PackedTail,
    only: ReadonlySet<Slot> | undefined,
  ): Promise<boolean> {
    const { owner } = tail;
    if (owner.isOver) return false;
    const image = await this.#tryToRead(tail);
    if (image === undefined) return false;
    if (!round.hasRoomFor(image.bytes)) {
      try {
        await this.#addSlots(round, only);
        await round.flush();
      } catch (error) {
        for (const run of image.runs) this.#deps.buffers.giveBack(run);
        throw error;
      }
    }
    round.addTail(owner.tiered, image);
    // Where a gap between offsets ended it, the rest is the next round's.
    return image.at("", 0).nextOffset >= tail.to;
  }

  async #tryToRead(tail: PackedTail): Promise<WrittenImage | undefined> {
    const { owner, from, producers, to } = tail;
    const wish = { from, to, targetBytes: Number.POSITIVE_INFINITY, producers };
    try {
      return await this.#deps.tails.readImage(owner, wish);
    } catch (error) {
      this.#deps.explain(error, "a partition's tail could not be read");
      return undefined;
    }
  }

  async #addSlots(round: PackRound, only: ReadonlySet<Slot> | undefined): Promise<void> {
    for (const packs of this.changedSlots()) {
      if (round.leftOut.has(packs) || only?.has(packs.slot) === false) continue;
      try {
        await round.addSlot(packs);
      } catch (error) {
        if (!(error instanceof CheckpointDamagedError)) throw error;
        this.#deps.explain(
          error,
          `a pack of slot ${packs.slot} is lost: its checkpoints stand still`,
        );
      }
    }
  }

  /** Those whose section is to be written. */
  changedSlots(): readonly SlotPacks[] {
    return [...this.#deps.slots()].filter(({ isChanged }) => isChanged);
  }

  /** Slots whose section, or of which a part, lies in a checkpoint before `keptFrom`. */
  #markMoving(keptFrom: number): void {
    const { slots, writer } = this.#deps;
    const sections = new Set(writer.slotsBefore(keptFrom));
    for (const packs of slots()) {
      const isMoving = [...packs.owners()].some(({ cold }) => {
        return cold.packed.some((part) => !writer.holds(part, keptFrom));
      });
      packs.isChanged ||= isMoving || sections.has(packs.slot);
    }
  }

  /** Of packed parts, by the object that they lie in. */
  #liveBytes(): ReadonlyMap<string, number> {
    const live = new Map<string, number>();
    for (const packs of this.#deps.slots()) {
      for (const { cold } of packs.owners()) {
        for (const { bytes, object } of cold.packed) {
          live.set(object, (live.get(object) ?? 0) + bytes);
        }
      }
    }
    return live;
  }

  /** The objects that packed parts lie in, and those that the newest sections name. */
  #livePacks(): ReadonlySet<string> {
    const live = new Set<string>(this.#deps.released.objects());
    for (const packs of this.#deps.slots()) {
      for (const object of packs.named) live.add(object);
      for (const { cold } of packs.owners()) for (const { object } of cold.packed) live.add(object);
    }
    return live;
  }
}
