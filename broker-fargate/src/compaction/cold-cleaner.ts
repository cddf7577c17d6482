import { clippedParts, coldCleanable } from "@millrace/core";
import type { Cleanable, Clock, ColdPart } from "@millrace/core";
import type { PartitionOwner } from "../partition/owner.ts";
import { isTiering } from "../tier/tiered-partition.ts";
import { ColdExpiry } from "./cold-expiry.ts";
import { ColdRound, type ColdRoundDeps, type ColdRoundOutcome } from "./cold-round.ts";
import type { CompactionLimits } from "./limits.ts";
import type { RoundOrder } from "./round.ts";

/** What is remembered of a loaded partition. */
interface Known {
  readonly expiry: ColdExpiry;
  /** Where the cold log ended when a round could do nothing: until it grows, none can. */
  uselessUpTo: number;
  /** The time of the first batches of the part with which the dirty part began. */
  firstDirty: { readonly object: string; readonly timestamp: number } | undefined;
}

/**
 * Compaction of the cold parts of loaded partitions: when a round is due, what it may remove, and up
 * to where one over the hot log may let tombstones and markers expire.
 */
export class ColdCleaner {
  readonly #clock: Clock;
  readonly #limits: CompactionLimits;
  readonly #known = new WeakMap<PartitionOwner, Known>();

  constructor(clock: Clock, limits: CompactionLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /**
   * What of the cold parts may be cleaned, and whether a round is due. Undefined: nothing, or nobody
   * is to. Rejects with ObjectError where the time of the oldest dirty batch has to be read.
   */
  async look(owner: PartitionOwner): Promise<Cleanable | undefined> {
    const { lastStableOffset, logStartOffset, settings, tiered } = owner;
    const { cleanedTo, endOffset = 0 } = tiered?.cold ?? {};
    this.expiresBelow(owner);
    if (tiered === undefined || cleanedTo === undefined) return undefined;
    if (cleanedTo >= endOffset || this.#of(owner).uselessUpTo === endOffset) return undefined;
    const nowMs = this.#clock.wallMs();
    const clipped = clippedParts(tiered.cold.parts());
    const firstDirty = clipped.find(({ baseOffset }) => baseOffset === cleanedTo);
    const isAsked = settings.maxCompactionLagMs < nowMs && firstDirty !== undefined;
    const log = {
      ...{ clipped, cleanedTo, lastStableOffset, logStartOffset },
      ...(isAsked ? { firstDirtyTimestamp: await this.#timeOf(owner, firstDirty.part) } : {}),
    };
    const when = { nowMs, dirtyBytesMin: this.#limits.coldDirtyBytesMin };
    return coldCleanable(log, settings, when);
  }

  /**
   * Below it tombstones and markers of the hot log may expire: the object store has nothing older of
   * their keys any more. Infinite where it has nothing of the log, and gets nothing, not even what
   * was on its way when that was decided.
   */
  expiresBelow(owner: PartitionOwner): number {
    const { settings, tiered } = owner;
    if (tiered === undefined) return Number.POSITIVE_INFINITY;
    const { changes, cold, isBeingCopied } = tiered;
    const { cleanedTo } = cold;
    if (cleanedTo === undefined) {
      const getsSome = isTiering(settings) || isBeingCopied || changes.isUnsettled;
      return getsSome ? 0 : Number.POSITIVE_INFINITY;
    }
    const nowMs = this.#clock.monotonicMs();
    return this.#of(owner).expiry.look(cleanedTo, nowMs, settings.deleteRetentionMs);
  }

  /** Runs a round over the cold parts of a partition that has some. Rejects as ColdRound does. */
  async round(
    owner: PartitionOwner,
    order: Omit<RoundOrder, "expiresBelow">,
    deps: Omit<ColdRoundDeps, "limits">,
  ): Promise<ColdRoundOutcome> {
    const { log, tiered } = owner;
    if (tiered === undefined) return { kind: "stopped" };
    const { endOffset = 0 } = tiered.cold;
    // What the hot log still has of older records might else outlive a tombstone that is cold only.
    const hotCleanedTo = Math.max(log.compaction.cleanedTo ?? 0, log.localStartOffset);
    const expiresBelow = Math.min(order.cleanable.firstDirtyOffset, hotCleanedTo);
    const limits = this.#limits;
    const round = new ColdRound(tiered, { ...order, expiresBelow }, { ...deps, limits });
    const outcome = await round.run();
    if (outcome.kind === "undecided") this.#of(owner).uselessUpTo = endOffset;
    return outcome;
  }

  /** The largest timestamp of the part's first batches. */
  async #timeOf(owner: PartitionOwner, part: ColdPart): Promise<number> {
    const known = this.#of(owner);
    const { object } = part;
    if (known.firstDirty?.object !== object) {
      const tail = await owner.tiered?.parts.tailOf(part);
      // Where it has no others behind them, that is the part's.
      const timestamp = tail?.index.entryAt(1)?.maxTimestampBefore ?? part.maxTimestamp;
      known.firstDirty = { object, timestamp };
    }
    return known.firstDirty?.timestamp ?? part.maxTimestamp;
  }

  #of(owner: PartitionOwner): Known {
    const nothing = { expiry: new ColdExpiry(), uselessUpTo: -1, firstDirty: undefined };
    const known: Known = this.#known.get(owner) ?? nothing;
    this.#known.set(owner, known);
    return known;
  }
}
