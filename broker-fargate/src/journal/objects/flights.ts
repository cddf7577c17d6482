import type { EncodedJournalObject } from "@millrace/wire";
import type { PendingEntry } from "../append-journal.ts";

/** A closed group on its way into the object store. Its bytes never change. */
export interface Flight {
  readonly seq: number;
  readonly entries: readonly PendingEntry[];
  readonly object: EncodedJournalObject;
  readonly startedMs: number;
  /** Of the entries, how many were told that they are durable. */
  told: number;
}

/**
 * The objects in flight, in the order of their seqs. Puts end in any order; an object is given out
 * to be told only when every one before it was: that acknowledgements leave in order rests here.
 */
export class Flights {
  readonly #flights: { readonly flight: Flight; isDurable: boolean }[] = [];

  /** Those that are not told yet. */
  get length(): number {
    return this.#flights.length;
  }

  get oldest(): Flight | undefined {
    return this.#flights[0]?.flight;
  }

  /** With the next seq. */
  add(flight: Flight): void {
    this.#flights.push({ flight, isDurable: false });
  }

  /** The object is in the store. */
  landed(flight: Flight): void {
    const found = this.#flights.find((each) => each.flight === flight);
    if (found !== undefined) found.isDurable = true;
  }

  /** The oldest one, if it is durable. It stays until `told`. */
  nextToTell(): Flight | undefined {
    const [first] = this.#flights;
    return first?.isDurable === true ? first.flight : undefined;
  }

  /** All entries of the one that `nextToTell` gave were told. */
  told(flight: Flight): void {
    const index = this.#flights.findIndex((each) => each.flight === flight);
    if (index >= 0) this.#flights.splice(index, 1);
  }

  /** Entries that were not told, in order. */
  untold(): readonly PendingEntry[] {
    return this.#flights.flatMap(({ flight }) => flight.entries.slice(flight.told));
  }

  clear(): void {
    this.#flights.length = 0;
  }
}
