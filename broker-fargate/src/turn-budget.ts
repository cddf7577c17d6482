import type { Clock } from "@millrace/core";

/**
 * Work of one kind, in its own unit, of which all requests together may do so much in a turn of the
 * event loop. The rest waits for a later turn, so that whoever asks for little is served between.
 */
export class TurnBudget {
  readonly #clock: Clock;
  readonly #perTurn: number;
  #used = 0;
  #nextTurn: Promise<void> | undefined;

  constructor(clock: Clock, perTurn: number) {
    this.#clock = clock;
    this.#perTurn = perTurn;
  }

  /** Whether so much may be done now. More than a turn's may, in a turn of its own. */
  takes(work: number): boolean {
    if (this.#used > 0 && this.#used + work > this.#perTurn) return false;
    this.add(work);
    return true;
  }

  /** Resolves in the turn in which so much may be done. */
  async take(work: number): Promise<void> {
    while (!this.takes(work)) await this.nextTurn();
  }

  /** Work that was done, and not known before. */
  add(work: number): void {
    this.#used += work;
    void this.nextTurn();
  }

  /** Resolves when there is a turn's budget again. */
  nextTurn(): Promise<void> {
    this.#nextTurn ??= new Promise((resolve) => {
      this.#clock.after(0, () => {
        this.#used = 0;
        this.#nextTurn = undefined;
        resolve();
      });
    });
    return this.#nextTurn;
  }
}
