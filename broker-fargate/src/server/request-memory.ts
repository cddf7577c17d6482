import type { Clock, Timer } from "@millrace/core";
import { overdraftMsMax, slowFrameBytesMin, slowFrameLookMs } from "../limits.ts";

/**
 * The bytes of requests that this process holds, over all connections: from a frame's allocation
 * until its reply is made. Who finds too little left waits in line, first come first served.
 *
 * A frame grows while it arrives, so holders of half a frame could wait for one another for ever.
 * Therefore the first in line may go above the limit: one frame at a time, and only while no more
 * than one frame's largest size is above it already. So the process never holds more than the limit
 * and two of the largest frames, and somebody always gets on. A client that stalls on such a frame
 * is evicted after `overdraftMsMax`.
 *
 * Clients that announce much and send little could hold it all for as long as they like. Therefore
 * small requests need not wait in line while a reserve above the limit lasts; and while anybody
 * waits, a frame that grows by less than `slowFrameBytesMin` in `slowFrameLookMs` is evicted.
 */
export class RequestMemory {
  readonly limitBytes: number;
  private readonly frameBytesMax: number;
  private readonly clock: Clock;
  private used = 0;
  private readonly waiting = new Set<Waiter>();
  private overdrawn: { readonly claimant: Claimant; readonly timer: Timer } | undefined;
  private granting = false;
  private readonly reserve: { readonly requestBytesMax: number; readonly bytes: number };
  private readonly holders: () => Iterable<Claimant>;
  /** Of frames under way, while somebody waits: how much of them had come at the last look. */
  private looked = new Map<Claimant, number>();
  private lookTimer: Timer | undefined;

  constructor(deps: {
    readonly limitBytes: number;
    /** `socket.request.max.bytes`. */
    readonly frameBytesMax: number;
    readonly clock: Clock;
    /** Everybody who may hold memory; asked only while somebody waits. */
    readonly holders?: () => Iterable<Claimant>;
    /** What small requests may take without waiting in line. */
    readonly reserve?: { readonly requestBytesMax: number; readonly bytes: number };
  }) {
    this.reserve = deps.reserve ?? noReserve;
    this.holders = deps.holders ?? ((): Iterable<Claimant> => []);
    this.limitBytes = deps.limitBytes;
    this.frameBytesMax = deps.frameBytesMax;
    this.clock = deps.clock;
  }

  get usedBytes(): number {
    return this.used;
  }

  get waitingClaimants(): number {
    return this.waiting.size;
  }

  /**
   * Takes the bytes, or puts the claimant in line: `granted` follows later, when they are taken. A
   * claimant that waits may not ask again before.
   */
  take(bytes: number, claimant: Claimant): "taken" | "waiting" {
    const waiter = { bytes, claimant };
    const isOverdrawing = this.overdrawn?.claimant === claimant;
    const { reserve } = this;
    const isSmall =
      bytes <= reserve.requestBytesMax && this.used + bytes <= this.limitBytes + reserve.bytes;
    if (isSmall || isOverdrawing || (this.waiting.size === 0 && this.admits(waiter))) {
      this.used += bytes;
      return "taken";
    }
    this.waiting.add(waiter);
    this.lookTimer ??= this.clock.after(slowFrameLookMs, () => this.look());
    return "waiting";
  }

  giveBack(bytes: number): void {
    this.used -= bytes;
    this.grant();
  }

  /** The claimant's frame is whole: it needs no more. The next may go above the limit. */
  frameCompleted(claimant: Claimant): void {
    if (this.overdrawn?.claimant !== claimant) return;
    this.endOverdraft();
    this.grant();
  }

  /** Takes the claimant out of the line. What it holds, it gives back itself. */
  forget(claimant: Claimant): void {
    for (const waiter of this.waiting) {
      if (waiter.claimant === claimant) this.waiting.delete(waiter);
    }
    if (this.overdrawn?.claimant === claimant) this.endOverdraft();
    this.grant();
  }

  /**
   * A claimant that is granted may at once give back or take more. The flag turns that into another
   * round of this loop instead of a deeper stack.
   */
  private grant(): void {
    if (this.granting) return;
    this.granting = true;
    for (const waiter of this.waiting) {
      if (!this.admits(waiter)) break;
      this.waiting.delete(waiter);
      this.used += waiter.bytes;
      waiter.claimant.granted(waiter.bytes);
    }
    this.granting = false;
  }

  /** Who waits does not read, and so can't be blamed for what it does not send. */
  private look(): void {
    this.lookTimer = undefined;
    const before = this.looked;
    this.looked = new Map();
    if (this.waiting.size === 0) return;
    this.lookTimer = this.clock.after(slowFrameLookMs, () => this.look());
    const blameless = new Set(Array.from(this.waiting, ({ claimant }) => claimant));
    const slow: Claimant[] = [];
    for (const claimant of this.holders()) {
      const received = claimant.underWayBytes;
      if (received === 0 || blameless.has(claimant)) continue;
      const since = received - (before.get(claimant) ?? Number.NEGATIVE_INFINITY);
      if (since >= 0 && since < slowFrameBytesMin) slow.push(claimant);
      else this.looked.set(claimant, received);
    }
    for (const claimant of slow) claimant.evicted();
  }

  private admits({ bytes, claimant }: Waiter): boolean {
    if (this.used + bytes <= this.limitBytes) return true;
    if (this.overdrawn !== undefined || this.used > this.limitBytes + this.frameBytesMax) {
      return false;
    }
    const timer = this.clock.after(overdraftMsMax, () => claimant.evicted());
    this.overdrawn = { claimant, timer };
    return true;
  }

  private endOverdraft(): void {
    this.overdrawn?.timer.cancel();
    this.overdrawn = undefined;
  }
}

const noReserve = { requestBytesMax: 0, bytes: 0 };

/** Who holds request memory: one connection. */
export interface Claimant {
  /** Bytes that came of the frame under way; 0 between frames. */
  readonly underWayBytes: number;
  /** The bytes that it waited for are taken. Must not throw. */
  granted(bytes: number): void;
  /** It held memory above the limit for too long without completing its frame. */
  evicted(): void;
}

interface Waiter {
  readonly bytes: number;
  readonly claimant: Claimant;
}
