import { DiskError, inLanes, MetadataError, ObjectError, planTail } from "@millrace/core";
import type {
  Clock,
  PartitionLog,
  Random,
  ReadBuffers,
  Slot,
  Timer,
  TopicSettings,
} from "@millrace/core";
import { FencedError } from "../cluster/slot-claims.ts";
import type { WireFormat } from "../partition/wire-format.ts";
import type { CheckpointWriter } from "./checkpoint-writer.ts";
import { CheckpointDamagedError } from "./former-checkpoints.ts";
import type { WrittenImage } from "./image-writer.ts";
import type { TierLimits } from "./limits.ts";
import type { ManifestItems } from "./manifest-items.ts";
import type { ObjectAccess } from "./object-access.ts";
import { PackRound } from "./pack-round.ts";
import { planMoves } from "./plan-moves.ts";
import { SegmentRound } from "./segment-round.ts";
import type { SlotPacks } from "./slot-packs.ts";
import { PackedDamageError, TailGoneError, tailOf, TailReader } from "./tail-reader.ts";
import { isTiering } from "./tiered-partition.ts";
import type { TieredPartition } from "./tiered-partition.ts";

/** A partition whose log goes into the object store. */
export interface TieredOwner {
  readonly log: PartitionLog;
  readonly settings: TopicSettings;
  /** Closed, or failed until a restart. */
  readonly isOver: boolean;
  readonly tiered: TieredPartition | undefined;
}

/**
 * Who keeps the journal until the object store has what it holds: `begin` when what the log holds
 * now is on its way there, `end` when it is there. Without the second it is not.
 */
export interface Cover<Owner> {
  begin(owner: Owner): void;
  end(owner: Owner): void;
}

/** One that the object store may take. */
type Tierable<Owner> = Owner & { readonly tiered: TieredPartition };

export interface CheckpointerDeps<Owner extends TieredOwner> {
  readonly clock: Clock;
  readonly random: Random;
  readonly wire: WireFormat;
  readonly limits: TierLimits;
  readonly objects: ObjectAccess;
  readonly manifest: ManifestItems;
  readonly writer: CheckpointWriter;
  readonly clusterId: string;
  readonly buffers: ReadBuffers;
  readonly cover: Cover<Owner>;
  /** The slots whose packs are in memory. */
  readonly slots: () => Iterable<SlotPacks>;
  /** The slot's own checkpoint holds all of it: older sources may go. */
  readonly onCopied: (slot: Slot) => Promise<void>;
  readonly warn: (what: string, cause: unknown) => void;
}

/**
 * Takes what logs have grown by into the object store, in rounds: one begins when enough bytes have
 * come together or the oldest of them is old enough, and at the end.
 *
 * In a round each partition's tail goes into cold segments where it is large, else into a pack. In
 * this order: object stored → registered (manifest item, or checkpoint) → counted, by readers, by
 * local retention and by the journal's trim. A round that fails leaves everything as it was, is
 * logged, and is tried again after a pause; objects that it stored and nobody names are deleted.
 */
export class Checkpointer<Owner extends TieredOwner> {
  readonly #deps: CheckpointerDeps<Owner>;
  readonly #tails: TailReader;
  readonly #segments: SegmentRound;
  readonly #told = new WeakSet<Error>();
  /** Partitions with bytes that no cold part holds. */
  #dirty = new Set<Tierable<Owner>>();
  #dirtyBytes = 0;
  #timer: { readonly timer: Timer; readonly dueMs: number } | undefined;
  #running: Promise<void> | undefined;
  #isClosed = false;
  /** Rounds that failed, one after another. */
  #failures = 0;

  constructor(deps: CheckpointerDeps<Owner>) {
    this.#deps = deps;
    this.#tails = new TailReader(deps);
    this.#segments = new SegmentRound({ ...deps, tails: this.#tails });
  }

  /** Bytes appended since the last round began. */
  get dirtyBytes(): number {
    return this.#dirtyBytes;
  }

  get dirtyPartitions(): number {
    return this.#dirty.size;
  }

  /** The partition's log grew by so many bytes. */
  appended(owner: Owner, bytes: number): void {
    if (!isTierable(owner)) return;
    this.#dirty.add(owner);
    this.#dirtyBytes += bytes;
    const { checkpointDueBytes, checkpointDueMs } = this.#deps.limits;
    this.#arm(this.#dirtyBytes >= checkpointDueBytes ? 0 : checkpointDueMs);
  }

  /** A slot's packed parts became fewer: what they lay in can go with the next round. */
  slotChanged(): void {
    this.#arm(this.#deps.limits.checkpointDueMs);
  }

  /** Resolves when the round that is under way, if one is, is over. */
  async idle(): Promise<void> {
    await this.#running;
  }

  /** The partition is over: resolves when no round works on it any more. */
  async forget(owner: Owner): Promise<void> {
    if (!isTierable(owner)) return;
    this.#dirty.delete(owner);
    await this.#running;
    await owner.tiered.changes.close();
  }

  /** One more round with everything that there is, and none after it. */
  async finish(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.timer.cancel();
    await this.#running;
    if (this.#dirty.size > 0 || this.#changedSlots().length > 0) await this.#round();
  }

  #arm(delayMs: number): void {
    if (this.#isClosed || this.#running !== undefined) return;
    const dueMs = this.#deps.clock.monotonicMs() + delayMs;
    if (this.#timer !== undefined && this.#timer.dueMs <= dueMs) return;
    this.#timer?.timer.cancel();
    const timer = this.#deps.clock.after(delayMs, () => {
      this.#timer = undefined;
      this.#running = this.#round().then((outcome) => {
        this.#running = undefined;
        this.#armNext(outcome);
      });
    });
    this.#timer = { timer, dueMs };
  }

  #armNext(outcome: "done" | "failed"): void {
    const { checkpointDueBytes, checkpointDueMs, checkpointRetryMs } = this.#deps.limits;
    this.#failures = outcome === "failed" ? this.#failures + 1 : 0;
    if (this.#dirty.size === 0 && this.#changedSlots().length === 0) return;
    const retryMs = checkpointRetryMs * 2 ** (this.#failures - 1);
    if (outcome === "failed") this.#arm(Math.min(retryMs, checkpointDueMs));
    else this.#arm(this.#dirtyBytes >= checkpointDueBytes ? 0 : checkpointDueMs);
  }

  async #round(): Promise<"done" | "failed"> {
    const owners = [...this.#dirty].filter((owner) => !owner.isOver);
    this.#dirty = new Set();
    this.#dirtyBytes = 0;
    const packed: PackedTail<Owner>[] = [];
    const failed = new Set<Tierable<Owner>>();
    for (const { tiered } of owners) tiered.isBeingCopied = true;
    await inLanes(owners, this.#deps.limits.uploadsInFlightMax, async (owner) => {
      if (!(await this.#tier(owner, packed))) failed.add(owner);
    });
    await this.#pack(packed, failed);
    for (const owner of owners) {
      owner.tiered.isBeingCopied = false;
      if (failed.has(owner)) this.#putOff(owner);
      else this.#deps.cover.end(owner);
    }
    return failed.size === 0 ? "done" : "failed";
  }

  #putOff(owner: Tierable<Owner>): void {
    if (!owner.isOver) this.#dirty.add(owner);
  }

  /** Cold segments are made here; a smaller tail is left to the pack. False: not this time. */
  async #tier(owner: Tierable<Owner>, packed: PackedTail<Owner>[]): Promise<boolean> {
    const { cover, limits } = this.#deps;
    const { log } = owner;
    try {
      for (;;) {
        // Not any more: what waits for it is let go.
        if (!isTiering(owner.settings)) return true;
        cover.begin(owner);
        const tail = tailOf(owner);
        const plan = planTail(tail, limits.coldSegmentBytesMin);
        if (plan.kind === "nothing") return true;
        const isPackable = owner.tiered.packs.damage === undefined;
        if (plan.kind === "packed" && !isPackable) return false;
        if (plan.kind === "packed") {
          const producers = log.producers.snapshot();
          packed.push({ owner, from: plan.from, to: tail.to, producers });
          return true;
        }
        if ((await this.#segments.store(owner, tail)) === "all") return true;
      }
    } catch (error) {
      this.#explain(error, "a partition's tail could not be stored in the object store");
      return false;
    }
  }

  /** Adds to `failed` those whose tail is not stored this time: one holds up no others. */
  async #pack(tails: readonly PackedTail<Owner>[], failed: Set<Tierable<Owner>>): Promise<void> {
    const { limits, objects, writer } = this.#deps;
    const keptFrom = planMoves(writer.checkpoints(), this.#liveBytes(), limits);
    if (keptFrom > 0) this.#markMoving(keptFrom);
    const round = new PackRound(writer, objects, keptFrom);
    try {
      for (const tail of tails) {
        if (!(await this.#packTail(round, tail))) failed.add(tail.owner);
      }
      await this.#addSlots(round);
      await round.flush();
      for (const { slot } of round.registered) await this.#deps.onCopied(slot);
      await writer.deleteUnused(this.#livePacks());
    } catch (error) {
      round.giveUp();
      for (const { owner } of tails) failed.add(owner);
      this.#explain(error, "a checkpoint could not be written");
    }
    for (const { owner } of tails) {
      if (round.leftOut.has(owner.tiered.packs)) failed.add(owner);
    }
  }

  /** False: it could not be read, or not all of it fits one image. */
  async #packTail(round: PackRound, tail: PackedTail<Owner>): Promise<boolean> {
    const { owner } = tail;
    if (owner.isOver) return false;
    const image = await this.#tryToRead(tail);
    if (image === undefined) return false;
    if (!round.hasRoomFor(image.bytes)) {
      await this.#addSlots(round);
      await round.flush();
    }
    round.addTail(owner.tiered, image);
    // Where a gap between offsets ended it, the rest is the next round's.
    return image.at("", 0).nextOffset >= tail.to;
  }

  async #tryToRead(tail: PackedTail<Owner>): Promise<WrittenImage | undefined> {
    const { owner, from, producers, to } = tail;
    const wish = { from, to, targetBytes: Number.POSITIVE_INFINITY, producers };
    try {
      return await this.#tails.readImage(owner, wish);
    } catch (error) {
      this.#explain(error, "a partition's tail could not be read");
      return undefined;
    }
  }

  async #addSlots(round: PackRound): Promise<void> {
    for (const packs of this.#changedSlots()) {
      if (round.leftOut.has(packs)) continue;
      try {
        await round.addSlot(packs);
      } catch (error) {
        if (!(error instanceof CheckpointDamagedError)) throw error;
        this.#explain(error, `a pack of slot ${packs.slot} is lost: its checkpoints stand still`);
      }
    }
  }

  #changedSlots(): readonly SlotPacks[] {
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
    const live = new Set<string>();
    for (const packs of this.#deps.slots()) {
      for (const object of packs.named) live.add(object);
      for (const { cold } of packs.owners()) for (const { object } of cold.packed) live.add(object);
    }
    return live;
  }

  #explain(error: unknown, what: string): void {
    const isOperational =
      error instanceof ObjectError ||
      error instanceof MetadataError ||
      error instanceof DiskError ||
      error instanceof FencedError ||
      error instanceof TailGoneError ||
      error instanceof CheckpointDamagedError;
    if (!isOperational) throw error;
    if (this.#told.has(error)) return;
    this.#deps.warn(what, error);
    // The same each time that it is met.
    if (error instanceof PackedDamageError) this.#told.add(error);
  }
}

interface PackedTail<Owner extends TieredOwner> {
  readonly owner: Tierable<Owner>;
  readonly from: number;
  readonly to: number;
  /** As of `to`. */
  readonly producers: Uint8Array;
}

function isTierable<Owner extends TieredOwner>(owner: Owner): owner is Tierable<Owner> {
  return owner.tiered !== undefined;
}
