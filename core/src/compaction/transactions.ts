import { abortedTransactionsMax } from "./limits.ts";

/** A transaction whose records nobody may read: from its first batch up to its marker. */
export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
  /** Of the marker. */
  readonly lastOffset: number;
}

/** Every aborted transaction that has a batch below `coveredTo`, by their first offsets. */
export interface AbortedTransactions {
  readonly aborted: readonly AbortedTransaction[];
  /** The end of what they were asked for, or less where there are too many. */
  readonly coveredTo: number;
}

/**
 * Finds a log's aborted transactions: told of its transactional batches and its markers, in order,
 * from the log's start on.
 *
 * A marker may lie far behind the data that it decides about, so batches are told past the end of
 * what is asked for, until no transaction is open that began before it.
 */
export class AbortedFinder {
  readonly #upTo: number;
  readonly #max: number;
  /** Producer id to the first offset of its open transaction; rising, because batches come so. */
  readonly #open = new Map<number, number>();
  #aborted: AbortedTransaction[] = [];
  #coveredTo: number;

  /** What begins at or after `upTo` is not asked for. */
  constructor(upTo: number, max: number = abortedTransactionsMax) {
    this.#upTo = upTo;
    this.#max = max;
    this.#coveredTo = upTo;
  }

  /** Whether batches from `offset` on can tell nothing more. */
  isDone(offset: number): boolean {
    if (this.#coveredTo < this.#upTo) return true;
    return offset >= this.#upTo && this.#firstOpen() === undefined;
  }

  batch(producerId: number, baseOffset: number): void {
    if (baseOffset >= this.#upTo || this.#open.has(producerId)) return;
    this.#open.set(producerId, baseOffset);
  }

  marker(producerId: number, offset: number, result: "commit" | "abort"): void {
    const firstOffset = this.#open.get(producerId);
    if (firstOffset === undefined) return;
    if (result === "abort" && this.#aborted.length === this.#max) {
      // From the first transaction on that is not decided yet nothing more is known.
      this.#coveredTo = Math.min(this.#coveredTo, this.#firstOpen() ?? firstOffset);
      return;
    }
    this.#open.delete(producerId);
    if (result === "abort") this.#aborted.push({ producerId, firstOffset, lastOffset: offset });
  }

  found(): AbortedTransactions {
    // What is open to the end has not been decided: it is not below the last stable offset.
    const coveredTo = Math.min(this.#coveredTo, this.#firstOpen() ?? this.#coveredTo);
    const aborted = this.#aborted.toSorted((a, b) => a.firstOffset - b.firstOffset);
    return { aborted, coveredTo };
  }

  #firstOpen(): number | undefined {
    return this.#open.values().next().value;
  }
}

/** What is known of transactions between two pieces of a log: plain values, for a thread. */
export interface TransactionState {
  /** Aborted ones that have begun, with whether a batch of theirs was met. */
  readonly aborted: readonly {
    readonly producerId: number;
    readonly firstOffset: number;
    readonly lastOffset: number;
    readonly wasMet: boolean;
  }[];
  /** Producers of whose committed transaction a batch was met. */
  readonly committed: readonly number[];
}

export const noTransactions: TransactionState = { aborted: [], committed: [] };

/**
 * Says of the batches of a log, in order, which belong to aborted transactions, and of the markers,
 * which have nothing left to decide about. As Kafka has it: a marker may go once a round meets no
 * batch of its transaction any more.
 */
export class CleanedTransactions {
  readonly #upcoming: AbortedTransaction[];
  #next = 0;
  readonly #aborted = new Map<number, { readonly of: AbortedTransaction; wasMet: boolean }>();
  readonly #committed: Set<number>;

  /** `upcoming`: those that begin in what follows, by their first offsets. */
  constructor(state: TransactionState, upcoming: readonly AbortedTransaction[]) {
    this.#upcoming = [...upcoming];
    for (const { wasMet, ...of } of state.aborted) this.#aborted.set(of.producerId, { of, wasMet });
    this.#committed = new Set(state.committed);
  }

  get state(): TransactionState {
    const aborted = [...this.#aborted.values()].map(({ of, wasMet }) => ({ ...of, wasMet }));
    return { aborted, committed: [...this.#committed] };
  }

  /** Whether the transactional batch was aborted. */
  isAborted(producerId: number, lastOffset: number): boolean {
    this.#beginUpTo(lastOffset);
    const aborted = this.#aborted.get(producerId);
    if (aborted === undefined) {
      this.#committed.add(producerId);
      return false;
    }
    aborted.wasMet = true;
    return true;
  }

  /** Whether nothing is left of what the marker ended. */
  isSpent(producerId: number, offset: number, result: "commit" | "abort" | "none"): boolean {
    this.#beginUpTo(offset);
    if (result === "none") return false;
    if (result === "commit") return !this.#committed.delete(producerId);
    const aborted = this.#aborted.get(producerId);
    this.#aborted.delete(producerId);
    return aborted?.wasMet !== true;
  }

  #beginUpTo(offset: number): void {
    for (;;) {
      const of = this.#upcoming[this.#next];
      if (of === undefined || of.firstOffset > offset) return;
      this.#aborted.set(of.producerId, { of, wasMet: false });
      this.#next += 1;
    }
  }
}
