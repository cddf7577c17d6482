/**
 * Bounds the bytes that are read ahead of one reader. Who asks first has room first, so that what the
 * reader waits for never waits for what comes after it; and what is larger than all of it has room
 * alone.
 */
export class ReadAheadRoom {
  readonly #bytesMax: number;
  #taken = 0;
  #queue: Promise<void> = Promise.resolve();
  #freed: () => void = () => undefined;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Resolves when there is room for so many, also where they are never told: that takes none. */
  take(bytes: Promise<number>): Promise<void> {
    const told = bytes.catch(() => 0);
    this.#queue = this.#queue.then(async () => {
      const wanted = await told;
      while (!this.#hasRoomFor(wanted)) {
        await new Promise<void>((resolve) => {
          this.#freed = resolve;
        });
      }
      this.#taken += wanted;
    });
    return this.#queue;
  }

  free(bytes: number): void {
    this.#taken -= bytes;
    this.#freed();
  }

  #hasRoomFor(bytes: number): boolean {
    return bytes === 0 || this.#taken === 0 || this.#taken + bytes <= this.#bytesMax;
  }
}
