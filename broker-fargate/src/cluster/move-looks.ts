import type { IncarnationId, Leadership } from "@millrace/core";
import { moveLookMs, moveLooksForMs } from "./limits.ts";

/**
 * Looks come quickly while slots are to be moved: who gets them has to hear at once that they are
 * its own, and everybody else to whom to send clients. Quick for a moment longer, because one wish
 * follows another.
 */
export class MoveLooks {
  #seen: Leadership | undefined;
  #quickUntilMs = Number.NEGATIVE_INFINITY;

  /** When the next look has to begin at the latest, in monotonic ms. */
  nextMs({ moves }: Leadership, nowMs: number): number {
    if (moves.length > 0) this.#quickUntilMs = nowMs + moveLooksForMs;
    return nowMs < this.#quickUntilMs ? nowMs + moveLookMs : Number.POSITIVE_INFINITY;
  }

  /** Whether there is a new wish that `self` gets slots: whoever hands them over waits to hear it. */
  isAwaited(leadership: Leadership, self: IncarnationId): boolean {
    if (leadership === this.#seen) return false;
    this.#seen = leadership;
    return leadership.moves.some(({ to }) => to === self);
  }
}
