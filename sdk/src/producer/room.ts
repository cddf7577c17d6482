/** How many bytes a producer may hold. Who comes when it is full waits, in order. */
import { Fifo } from "../fifo.ts";
import { withSignal } from "../timing.ts";

interface Waiting {
  readonly bytes: number;
  readonly enter: () => void;
  state: "waiting" | "in" | "gone";
}

export class Room {
  readonly #bytesMax: number;
  #usedBytes = 0;
  readonly #waiting = new Fifo<Waiting>();

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Takes the bytes if they fit and nobody waits. What is larger than the room fits alone. */
  tryTake(bytes: number): boolean {
    if (this.#waiting.size > 0 || !this.#fits(bytes)) return false;
    this.#usedBytes += bytes;
    return true;
  }

  async take(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.tryTake(bytes)) return;
    const entered = Promise.withResolvers<void>();
    const waiting: Waiting = { bytes, enter: entered.resolve, state: "waiting" };
    this.#waiting.push(waiting);
    try {
      await withSignal(entered.promise, signal);
    } catch (error) {
      if (waiting.state === "in") this.release(bytes);
      else waiting.state = "gone";
      throw error;
    }
  }

  release(bytes: number): void {
    this.#usedBytes -= bytes;
    for (let next = this.#waiting.first; next !== undefined; next = this.#waiting.first) {
      if (next.state === "waiting") {
        if (!this.#fits(next.bytes)) return;
        this.#usedBytes += next.bytes;
        next.state = "in";
        next.enter();
      }
      this.#waiting.shift();
    }
  }

  #fits(bytes: number): boolean {
    return this.#usedBytes === 0 || this.#usedBytes + bytes <= this.#bytesMax;
  }
}
