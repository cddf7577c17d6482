import {
  assert,
  DiskError,
  inLanes,
  MetadataError,
  ObjectError,
  planRest,
  planTail,
} from "@millrace/core";
import type {
  Clock,
  ColdPart,
  PartitionLog,
  Random,
  ReadBuffers,
  SideWork,
  Slot,
  Timer,
  TopicSettings,
} from "@millrace/core";
import { FencedError } from "../cluster/slot-claims.ts";
import type { WireFormat } from "../partition/wire-format.ts";
import { CheckedReads } from "./checked-reads.ts";
import type { CheckpointWriter } from "./checkpoint-writer.ts";
import { bytesToRead, DirtyTails, journaledBefore } from "./dirty-tails.ts";
import type { DirtyTail } from "./dirty-tails.ts";
import { CheckpointDamagedError } from "./former-checkpoints.ts";
import type { TierLimits } from "./limits.ts";
import type { ManifestItems } from "./manifest-items.ts";
import type { ObjectAccess } from "./object-access.ts";
import { type PackableOwner, type PackedTail, Packing } from "./packing.ts";
import { SegmentRound } from "./segment-round.ts";
import type { SlotPacks } from "./slot-packs.ts";
import { TailGoneError, tailOf, TailReader } from "./tail-reader.ts";
import { isTiering } from "./tiered-partition.ts";
import type { TieredPartition } from "./tiered-partition.ts";
import { UploadPace } from "./upload-pace.ts";

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

/** A partition that is not in use: its slot is not this incarnation's yet. */
export type CopiedOwner = PackableOwner;

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
  readonly sideWork: SideWork;
  readonly cover: Cover<Owner>;
  /** The slots whose packs are in memory. */
  readonly slots: () => Iterable<SlotPacks>;
  /** Slots that were handed over: what their packs lie in stays until the next owner copied it. */
  readonly released: {
    objects(): Iterable<string>;
    forgetCopied(): Promise<void>;
  };
  /** The slot's own checkpoint holds all of it: older sources may go. */
  readonly onCopied: (slot: Slot) => Promise<void>;
  /** Nothing has these batches any more. */
  readonly onLost: (of: TieredPartition, lost: ColdPart) => void;
  readonly warn: (what: string, cause: unknown) => void;
}

/**
 * Takes what logs have grown by into the object store, in rounds: one begins when enough bytes have
 * come together, and takes the tails that make cold segments; or when the oldest bytes are old
 * enough, and at the end, and takes all. So one partition's bytes do not make packs of the others'.
 *
 * In a round each partition's tail goes into cold segments where it is large, else into a pack. In
 * this order: object stored → registered (manifest item, or checkpoint) → counted, by readers, by
 * local retention and by the journal's trim. A round that fails leaves everything as it was, is
 * logged, and is tried again after a pause; objects that it stored and nobody names are deleted.
 */
export class Checkpointer<Owner extends TieredOwner> {
  readonly #deps: CheckpointerDeps<Owner>;
  readonly #pace: UploadPace;
  readonly #tails: TailReader;
  readonly #segments: SegmentRound;
  readonly #packing: Packing;
  readonly #dirty: DirtyTails<Tierable<Owner>>;
  /** When sections that changed are written, monotonic. */
  #slotsDueMs = Number.POSITIVE_INFINITY;
  #timer: { readonly timer: Timer; readonly dueMs: number } | undefined;
  #running: Promise<void> | undefined;
  /** Of the round that is under way, as long as it is spread over time. */
  #journaledBefore = Number.POSITIVE_INFINITY;
  #isClosed = false;
  /** Rounds that failed, one after another. */
  #failures = 0;

  constructor(deps: CheckpointerDeps<Owner>) {
    this.#deps = deps;
    this.#dirty = new DirtyTails(deps.limits);
    this.#pace = new UploadPace(deps.clock, deps.limits);
    this.#tails = new TailReader({ ...deps, pace: this.#pace, reads: new CheckedReads(deps) });
    this.#segments = new SegmentRound({ ...deps, tails: this.#tails });
    const explain = (error: unknown, what: string): void => this.#explain(error, what);
    this.#packing = new Packing({ ...deps, tails: this.#tails, explain });
  }

  /** Bytes appended that no round has taken. */
  get dirtyBytes(): number {
    return this.#dirty.bytes;
  }

  get dirtyPartitions(): number {
    return this.#dirty.size;
  }

  /** The partition's log grew by so many bytes. */
  appended(owner: Owner, bytes: number): void {
    if (!isTierable(owner)) return;
    const nowMs = this.#deps.clock.monotonicMs();
    this.#dirty.add(owner, bytes, nowMs);
    this.#hurryForJournal();
    this.#arm(this.#dueMs(nowMs));
  }

  /** A slot's packed parts became fewer: what they lay in can go with the next round. */
  slotChanged(): void {
    const nowMs = this.#deps.clock.monotonicMs();
    this.#slotsDueMs = Math.min(this.#slotsDueMs, nowMs + this.#deps.limits.checkpointDueMs);
    this.#arm(this.#slotsDueMs);
  }

  /** Resolves when the round that is under way, if one is, is over. */
  async idle(): Promise<void> {
    this.#pace.hurry();
    await this.#running;
  }

  /** The partition is over: resolves when no round works on it any more. */
  async forget(owner: Owner): Promise<void> {
    if (!isTierable(owner)) return;
    this.#dirty.forget(owner);
    this.#pace.hurry();
    await this.#running;
    await owner.tiered.changes.close();
  }

  /** A round with everything that there is, now. */
  takeAll(): Promise<"done" | "failed"> {
    return this.#alone(() => this.#round(this.#dirty.takeAll()));
  }

  /**
   * A round with all that came to these slots since `takeAll`, for whom others wait: of the object
   * store it reads nothing, unless a partition got as much as a cold segment, and a round that tidies
   * comes later.
   */
  takeRest(slots: ReadonlySet<Slot>): Promise<"done" | "failed"> {
    const isTheirs = ({ tiered }: Tierable<Owner>): boolean => slots.has(tiered.at.slot);
    return this.#alone(() => this.#round(this.#dirty.takeOf(isTheirs), slots));
  }

  /**
   * A round that packs all that these have past their cold ends, large or small, with the sections of
   * their slots; it takes nothing else. Of slots that are not owned yet nothing may become segments.
   */
  copy(owners: readonly CopiedOwner[]): Promise<"done" | "failed"> {
    return this.#alone(async () => {
      const tails = owners.flatMap((owner): readonly PackedTail[] => {
        const tail = tailOf(owner);
        const plan = planTail(tail, Number.POSITIVE_INFINITY);
        const producers = owner.log.producers.snapshot();
        return plan.kind === "packed" ? [{ owner, from: plan.from, to: tail.to, producers }] : [];
      });
      const failed = new Set<PackableOwner>();
      const outcome = await this.#packing.pack(tails, failed);
      return failed.size === 0 ? outcome : "failed";
    });
  }

  /** No round begins any more. */
  abandon(): void {
    this.#isClosed = true;
    this.#timer?.timer.cancel();
  }

  /** Runs when no other round does. */
  async #alone(run: () => Promise<"done" | "failed">): Promise<"done" | "failed"> {
    while (this.#running !== undefined) {
      this.#pace.hurry();
      await this.#running;
    }
    this.#timer?.timer.cancel();
    this.#timer = undefined;
    this.#pace.hurry();
    // Nothing may arm the next one before this one runs.
    const round = Promise.resolve().then(run);
    this.#running = round.then((outcome) => {
      this.#running = undefined;
      this.#armNext(outcome);
    });
    await this.#running;
    return round;
  }

  /** One more round with everything that there is, and none after it. */
  async finish(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.timer.cancel();
    this.#pace.hurry();
    await this.#running;
    const tails = this.#dirty.takeAll();
    const isDue = tails.length > 0 || this.#packing.changedSlots().length > 0;
    if (isDue) await this.#round(tails);
  }

  #arm(dueMs: number): void {
    if (this.#timer !== undefined && this.#timer.dueMs <= dueMs) return;
    if (this.#isClosed || this.#running !== undefined) return;
    this.#timer?.timer.cancel();
    const { clock } = this.#deps;
    const timer = clock.after(Math.max(0, dueMs - clock.monotonicMs()), () => {
      assert(this.#running === undefined, "rounds come one after another");
      this.#timer = undefined;
      const tails = this.#dirty.take(clock.monotonicMs());
      this.#pace.begin(bytesToRead(tails));
      this.#journaledBefore = journaledBefore(tails);
      this.#hurryForJournal();
      this.#running = this.#round(tails).then((outcome) => {
        this.#running = undefined;
        this.#armNext(outcome);
      });
    });
    this.#timer = { timer, dueMs };
  }

  /** Else the journal would be full before the round is over, and everybody's appends would wait. */
  #hurryForJournal(): void {
    const kept = this.#dirty.journaledBytes - this.#journaledBefore;
    if (kept < this.#deps.limits.hurriedJournalBytesMin) return;
    this.#journaledBefore = Number.POSITIVE_INFINITY;
    this.#pace.hurry();
  }

  #armNext(outcome: "done" | "failed"): void {
    const nowMs = this.#deps.clock.monotonicMs();
    if (this.#packing.changedSlots().length > 0) this.slotChanged();
    const waitingMs = Math.min(this.#dirty.dueMs, this.#slotsDueMs);
    const dueMs = outcome === "failed" ? waitingMs : this.#dueMs(nowMs);
    if (dueMs < Number.POSITIVE_INFINITY) this.#arm(dueMs);
  }

  #dueMs(nowMs: number): number {
    if (this.#dirty.bytesSinceTaken >= this.#deps.limits.checkpointDueBytes) return nowMs;
    return Math.min(this.#dirty.dueMs, this.#slotsDueMs);
  }

  async #round(
    tails: readonly DirtyTail<Tierable<Owner>>[],
    only?: ReadonlySet<Slot>,
  ): Promise<"done" | "failed"> {
    const owners = tails.map(({ owner }) => owner);
    const tidyMs = this.#deps.clock.monotonicMs() + this.#deps.limits.checkpointDueMs;
    // Armed when this round is over.
    this.#slotsDueMs =
      only === undefined ? Number.POSITIVE_INFINITY : Math.min(this.#slotsDueMs, tidyMs);
    const packed: PackedTail[] = [];
    const failed = new Set<PackableOwner>();
    for (const { tiered } of owners) tiered.isBeingCopied = true;
    await inLanes(owners, this.#deps.limits.uploadsInFlightMax, async (owner) => {
      if (!(await this.#tier(owner, packed, only))) failed.add(owner);
    });
    await this.#packing.pack(packed, failed, only);
    this.#failures = failed.size === 0 ? 0 : this.#failures + 1;
    for (const tail of tails) {
      const { owner } = tail;
      owner.tiered.isBeingCopied = false;
      if (!failed.has(owner)) this.#deps.cover.end(owner);
      else if (!owner.isOver) this.#dirty.putBack(tail, this.#retryAtMs());
    }
    return failed.size === 0 ? "done" : "failed";
  }

  #retryAtMs(): number {
    const { clock, limits } = this.#deps;
    const pauseMs = limits.checkpointRetryMs * 2 ** (this.#failures - 1);
    return clock.monotonicMs() + Math.min(pauseMs, limits.checkpointDueMs);
  }

  /** Cold segments are made here; a smaller tail is left to the pack. False: not this time. */
  async #tier(
    owner: Tierable<Owner>,
    packed: PackedTail[],
    only?: ReadonlySet<Slot>,
  ): Promise<boolean> {
    const { cover, limits } = this.#deps;
    const { log } = owner;
    const planOf = only === undefined ? planTail : planRest;
    try {
      for (;;) {
        // Not any more: what waits for it is let go.
        if (!isTiering(owner.settings)) return true;
        cover.begin(owner);
        const tail = tailOf(owner);
        const plan = planOf(tail, limits.coldSegmentBytesMin);
        if (plan.kind === "nothing") return true;
        const { damage, isStuck } = owner.tiered.packs;
        // Only among segments may something be lost: what is packed has to be there. And where no
        // section can be written, the journal would be kept for ever, and full in the end, for all.
        const isUnpackable = isStuck || damage !== undefined;
        const isDamaged = isUnpackable || this.#tails.hasMetDamage(tail.packed);
        if (plan.kind === "packed" && !isDamaged) {
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

  #explain(error: unknown, what: string): void {
    const isOperational =
      error instanceof ObjectError ||
      error instanceof MetadataError ||
      error instanceof DiskError ||
      error instanceof FencedError ||
      error instanceof TailGoneError ||
      error instanceof CheckpointDamagedError;
    if (!isOperational) throw error;
    this.#deps.warn(what, error);
  }
}

function isTierable<Owner extends TieredOwner>(owner: Owner): owner is Tierable<Owner> {
  return owner.tiered !== undefined;
}
