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

  /**
   * Work that is about to be done: `undefined` if it may be done now, or resolves in the turn in
   * which it may. More than a turn's gets a turn of its own.
   */
  take(work: number): Promise<void> | undefined {
    if (!this.#isRoomFor(work)) return this.#takeLater(work);
    this.add(work);
    return undefined;
  }

  /** Work that was done, and not known before. */
  add(work: number): void {
    this.#used += work;
    this.#nextTurn ??= new Promise((resolve) => {
      this.#clock.after(0, () => {
        this.#used = 0;
        this.#nextTurn = undefined;
        resolve();
      });
    });
  }

  async #takeLater(work: number): Promise<void> {
    while (!this.#isRoomFor(work)) await this.#nextTurn;
    this.add(work);
  }

  #isRoomFor(work: number): boolean {
    return this.#used === 0 || this.#used + work <= this.#perTurn;
  }
}
