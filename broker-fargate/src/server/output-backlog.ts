import type { Clock, Timer } from "@millrace/core";
import {
  outputBytesMax,
  outputReserveBytes,
  outputStallMsMax,
  resumedPerTurnMax,
} from "../limits.ts";

/**
 * The unsent replies of all connections whose peers read too slowly, and what is held for replies
 * that are being made. Above `outputBytesMax` no
 * request starts until some of it is sent: readers that stall would otherwise cost one large reply
 * each, without a bound. A connection that read all its replies so far is not held up by them:
 * `outputReserveBytes` are left for such. While requests wait, a debtor that sends nothing for
 * `outputStallMsMax` is closed, so that it can't hold up the others for long.
 */
export class OutputBacklog {
  private readonly clock: Clock;
  private readonly debtors = new Map<Debtor, Debt>();
  private readonly waiting = new Set<Debtor>();
  private unsent = 0;
  private timer: Timer | undefined;
  private resuming = false;
  private resumption: Timer | undefined;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  get unsentBytes(): number {
    return this.unsent;
  }

  /** Whether a reply may grow. */
  hasRoomFor({ keepsUp }: Debtor): boolean {
    return this.unsent <= outputBytesMax + (keepsUp ? outputReserveBytes : 0);
  }

  /** Whether a request may start. After a refusal, `mayStart` of the connection follows. */
  admits(connection: Debtor): boolean {
    const isTurn = this.resuming || this.waiting.size === 0;
    if (this.hasRoomFor(connection) && (isTurn || connection.keepsUp)) return true;
    this.waiting.add(connection);
    this.timer ??= this.clock.after(checkMs, () => this.evictStalled());
    return false;
  }

  /** The connection has so many unsent bytes, above its watermark; 0 when it has caught up. */
  owe(connection: Debtor, bytes: number): void {
    const debt = this.debtors.get(connection);
    const change = bytes - (debt?.bytes ?? 0);
    this.unsent += change;
    if (bytes === 0) this.debtors.delete(connection);
    else this.debtors.set(connection, this.newDebt(bytes));
    if (change < 0) this.resume();
  }

  /** A reply that is being made holds so much more. */
  grow(bytes: number): void {
    this.unsent += bytes;
  }

  /** It was written, and is owed or sent. */
  shrink(bytes: number): void {
    this.unsent -= bytes;
    this.resume();
  }

  forget(connection: Debtor): void {
    this.waiting.delete(connection);
    this.owe(connection, 0);
  }

  /**
   * Who starts here may owe at the end of this turn, so only some do, and the rest in a later turn:
   * it may have to wait again.
   */
  private resume(): void {
    if (this.resuming || this.resumption !== undefined) return;
    this.resuming = true;
    let resumed = 0;
    for (const connection of this.waiting) {
      if (this.unsent > outputBytesMax || resumed === resumedPerTurnMax) break;
      resumed += 1;
      this.waiting.delete(connection);
      connection.mayStart();
    }
    this.resuming = false;
    if (this.waiting.size > 0) {
      if (resumed === resumedPerTurnMax) this.resumeLater();
      return;
    }
    this.timer?.cancel();
    this.timer = undefined;
  }

  private resumeLater(): void {
    this.resumption = this.clock.after(0, () => {
      this.resumption = undefined;
      this.resume();
    });
  }

  private newDebt(bytes: number): Debt {
    return { bytes, lastUnsentBytes: bytes, progressMs: this.clock.monotonicMs() };
  }

  private evictStalled(): void {
    this.timer = this.clock.after(checkMs, () => this.evictStalled());
    const nowMs = this.clock.monotonicMs();
    for (const [connection, debt] of this.debtors) {
      const unsentBytes = connection.unsentBytes();
      if (unsentBytes < debt.lastUnsentBytes) {
        debt.lastUnsentBytes = unsentBytes;
        debt.progressMs = nowMs;
      } else if (nowMs - debt.progressMs >= outputStallMsMax) {
        connection.stalled();
      }
    }
  }
}

/** Progress is looked for so often while somebody waits. */
const checkMs = outputStallMsMax / 6;

/** A connection, as the backlog sees it. */
export interface Debtor {
  /** It has had a reply, and left none unread. */
  readonly keepsUp: boolean;
  unsentBytes(): number;
  mayStart(): void;
  /** It sent nothing for too long while others waited. */
  stalled(): void;
}

interface Debt {
  readonly bytes: number;
  lastUnsentBytes: number;
  /** When some of it was last seen to have been sent. */
  progressMs: number;
}
