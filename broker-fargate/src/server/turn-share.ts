import type { Clock } from "@millrace/core";
import { requestsPerTurnMax } from "../limits.ts";

/**
 * One connection's share of a turn of the event loop. Requests that are answered at once lead to
 * the next, so a peer that pipelines would hold the loop for as many as fit in one read of its
 * socket: thousands. After `requestsPerTurnMax` of them the rest wait for a later turn.
 */
export class TurnShare {
  private readonly clock: Clock;
  private readonly resume: () => void;
  private started = 0;

  constructor(clock: Clock, resume: () => void) {
    this.clock = clock;
    this.resume = resume;
  }

  get isLeft(): boolean {
    return this.started < requestsPerTurnMax;
  }

  /** Bytes came in: a turn begins, unless a used-up share waits for its own. */
  begin(): void {
    if (this.isLeft) this.started = 0;
  }

  /** A request starts. */
  take(): void {
    this.started += 1;
    if (this.isLeft) return;
    this.clock.after(0, () => {
      this.started = 0;
      this.resume();
    });
  }
}
