import type { LmdbItems, NoteWriter } from "./lmdb-items.ts";

/** Usually one goes as one comes; more only where a former host kept more. */
const forgottenAtOnceMax = 64;

/**
 * The write ids of the transactions that a metadata host applied last, so that a client whose reply
 * was lost learns that its write was applied, and it is not applied twice.
 *
 * Each applied transaction gets a number, and its write id is noted under it in the same LMDB
 * transaction; the oldest notes go as new ones come. A client says with a write that it sends again
 * what `at` was when it sent it first: if no note from there on has gone, then the write's
 * absence proves that it was not applied. Otherwise nobody knows, and the client is told so. So
 * correctness rests neither on how many notes there are nor on any clock.
 *
 * A refused transaction has no effect and is not noted: sent again, it is decided again.
 */
export class WriteOutcomes {
  readonly #items: LmdbItems;
  readonly #outcomesMax: number;
  /** Committed, by write id, oldest first. */
  readonly #numbers = new Map<string, number>();
  /** Notes up to this number may be gone. */
  #forgottenThrough = 0;
  #next = 1;
  #at = 1;

  /** Reads what an earlier process noted. */
  constructor(items: LmdbItems, outcomesMax: number) {
    this.#items = items;
    this.#outcomesMax = outcomesMax;
    this.#load();
  }

  /**
   * No later outcome gets a lower number, also after a crash: numbers that were given out and not
   * committed may be given out again, and are not counted.
   */
  get at(): number {
    return this.#at;
  }

  get size(): number {
    return this.#numbers.size;
  }

  has(writeId: string): boolean {
    return this.#numbers.has(writeId);
  }

  /** Whether a write that is not here, first sent when `at` was `since`, may have been applied. */
  mayHaveForgotten(since: number): boolean {
    // A number from the future is of another database: this one knows nothing of its writes.
    return since <= this.#forgottenThrough || since > this.#next;
  }

  /** Within the write's transaction. Returns the number, for `committed`. */
  note(writeId: string, notes: NoteWriter): number {
    const number = this.#next;
    this.#next += 1;
    notes.put({ number, bytes: Buffer.from(writeId, "hex") });
    const last = Math.min(number - this.#outcomesMax, this.#forgottenThrough + forgottenAtOnceMax);
    while (this.#forgottenThrough < last) {
      this.#forgottenThrough += 1;
      notes.remove(this.#forgottenThrough);
    }
    return number;
  }

  committed(writeId: string, number: number): void {
    this.#numbers.set(writeId, number);
    this.#at = Math.max(this.#at, number + 1);
    for (const [id, oldest] of this.#numbers) {
      if (oldest > this.#forgottenThrough) return;
      this.#numbers.delete(id);
    }
  }

  /** After a commit that failed, as far as its caller knows: what is in the database counts. */
  failed(writeId: string, number: number): void {
    const noted = this.#items.note(number);
    if (noted !== undefined && hex(noted) === writeId) this.committed(writeId, number);
  }

  #load(): void {
    let first: number | undefined;
    for (const { number, bytes } of this.#items.notes()) {
      first ??= number;
      this.#numbers.set(hex(bytes), number);
      this.#next = number + 1;
    }
    this.#at = this.#next;
    this.#forgottenThrough = (first ?? this.#next) - 1;
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
