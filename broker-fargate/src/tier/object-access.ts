import {
  type Clock,
  objectBytes,
  ObjectError,
  type ObjectListing,
  type ObjectPage,
  objectPageMax,
  type ObjectRange,
  type ObjectStore,
  type Random,
} from "@millrace/core";
import {
  deletedObjectsMax,
  objectBackoffMsFirst,
  objectBackoffMsMax,
  objectTriesMax,
  ownerProofBytesMax,
} from "./limits.ts";

export type ObjectOperation = "put" | "read" | "list" | "delete";

/** Counts what is asked of the store; called once for each try. */
export interface ObjectMeter {
  ended(request: {
    readonly operation: ObjectOperation;
    readonly outcome: "ok" | "failed";
    /** Of the object's bytes, those that were sent or received; 0 of a try that failed. */
    readonly bytes: number;
    readonly durationMs: number;
  }): void;
  /** Another try begins, after a wait. */
  retried(operation: ObjectOperation): void;
}

export interface PutTerms {
  /** The first part tells whose the object is: a nonce is in it. Absent: the object's end does. */
  readonly proof?: "firstPart";
  /** Asked before each further try; false: nobody waits for the outcome any more. */
  readonly isWanted?: () => boolean;
}

export interface ObjectAccessDeps {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly meter?: ObjectMeter;
}

/**
 * The object store with bounded retries, each after a wait with jitter that doubles. Throws the
 * last ObjectError when no try got an answer; its `applied` speaks for all of them.
 *
 * A put tells whose object is there in the end. When the store says `exists`, or when a try may
 * have had its effect, it looks: the same bytes at the end, and as many in all, are this put's own
 * object, because whoever puts has a nonce among the last `ownerProofBytesMax` bytes. Where a try
 * may have had its effect and nothing is there, the same bytes are put again. A try of which
 * nothing was heard may take effect late, even after its object was stored by another try and
 * deleted: that is for the caller to reckon with.
 */
export class ObjectAccess {
  readonly #store: ObjectStore;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #meter: ObjectMeter | undefined;

  constructor({ store, clock, random, meter }: ObjectAccessDeps) {
    this.#store = store;
    this.#clock = clock;
    this.#random = random;
    this.#meter = meter;
  }

  /**
   * `stored`: the object is there, durably, by this or an earlier put of the same bytes. `foreign`:
   * the key has other bytes, or had an object that is gone.
   */
  async put(
    key: string,
    parts: readonly Uint8Array[],
    terms: PutTerms = {},
  ): Promise<"stored" | "foreign"> {
    const proof = (): Proof => (terms.proof === "firstPart" ? firstOf(parts) : endOf(parts));
    let mayBeApplied = false;
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await this.#triedPut(key, parts);
      if (outcome === "stored") return "stored";
      if (outcome === "exists") return this.#whoseIs(key, proof());
      mayBeApplied ||= outcome.applied === "maybe";
      const isLast = !outcome.retriable || attempt === objectTriesMax;
      if (!isLast) await this.#backOff(attempt);
      const found = mayBeApplied ? await this.#looked(key, proof()) : undefined;
      if (found !== undefined) return found;
      const isEnd = isLast || terms.isWanted?.() === false;
      if (isEnd) throw given(outcome, mayBeApplied ? "maybe" : "no");
      this.#meter?.retried("put");
    }
  }

  readRange(key: string, range: ObjectRange): Promise<Uint8Array | undefined> {
    const read = () => this.#store.readRange(key, range);
    return this.#retried("read", read, bytesRead);
  }

  list(listing: ObjectListing): Promise<ObjectPage> {
    return this.#retried("list", () => this.#store.list(listing));
  }

  /** Every object whose key begins with the prefix, page by page. */
  async *listAll(prefix: string): AsyncGenerator<ObjectPage["objects"][number]> {
    let after: string | undefined;
    do {
      const from: { readonly after?: string } = after === undefined ? {} : { after };
      const page: ObjectPage = await this.list({ prefix, limit: objectPageMax, ...from });
      yield* page.objects;
      after = page.next;
    } while (after !== undefined);
  }

  /** In batches, one after another, so that a failure leaves the later ones where they are. */
  async delete(keys: readonly string[]): Promise<void> {
    for (let first = 0; first < keys.length; first += deletedObjectsMax) {
      const batch = keys.slice(first, first + deletedObjectsMax);
      await this.#retried("delete", () => this.#store.delete(batch));
    }
  }

  async #triedPut(
    key: string,
    parts: readonly Uint8Array[],
  ): Promise<"stored" | "exists" | ObjectError> {
    const put = () => this.#store.putIfAbsent(key, parts);
    const sent = (outcome: "stored" | "exists") => (outcome === "stored" ? objectBytes(parts) : 0);
    try {
      return await this.#metered("put", put, sent);
    } catch (error) {
      if (error instanceof ObjectError) return error;
      throw error;
    }
  }

  /** The store said that the key has an object. */
  async #whoseIs(key: string, proof: Proof): Promise<"stored" | "foreign"> {
    try {
      const found = await this.#compared(proof, (range) => this.readRange(key, range));
      return found ?? "foreign";
    } catch (error) {
      // It may be this put's own.
      throw error instanceof ObjectError ? given(error, "maybe") : error;
    }
  }

  /** One look after a try whose outcome is unknown; if it fails, the next try is as good. */
  async #looked(key: string, proof: Proof): Promise<"stored" | "foreign" | undefined> {
    const look = (range: ObjectRange) =>
      this.#metered("read", () => this.#store.readRange(key, range), bytesRead);
    try {
      return await this.#compared(proof, look);
    } catch (error) {
      if (error instanceof ObjectError) return undefined;
      throw error;
    }
  }

  async #compared(
    { bytes, from, read: asked }: Proof,
    read: (range: ObjectRange) => Promise<Uint8Array | undefined>,
  ): Promise<"stored" | "foreign" | undefined> {
    const found = await read({ from, bytes: asked });
    if (found === undefined) return undefined;
    return isEqual(found, bytes) ? "stored" : "foreign";
  }

  async #retried<Result>(
    operation: ObjectOperation,
    call: () => Promise<Result>,
    bytesOf: (result: Result) => number = () => 0,
  ): Promise<Result> {
    let mayBeApplied = false;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#metered(operation, call, bytesOf);
      } catch (error) {
        if (!(error instanceof ObjectError)) throw error;
        mayBeApplied ||= error.applied === "maybe";
        const isLast = !error.retriable || attempt === objectTriesMax;
        if (isLast) throw given(error, mayBeApplied ? "maybe" : "no");
      }
      await this.#backOff(attempt);
      this.#meter?.retried(operation);
    }
  }

  async #metered<Result>(
    operation: ObjectOperation,
    call: () => Promise<Result>,
    bytesOf: (result: Result) => number,
  ): Promise<Result> {
    const startedMs = this.#clock.monotonicMs();
    const durationMs = (): number => this.#clock.monotonicMs() - startedMs;
    try {
      const result = await call();
      const bytes = bytesOf(result);
      this.#meter?.ended({ operation, outcome: "ok", bytes, durationMs: durationMs() });
      return result;
    } catch (error) {
      this.#meter?.ended({ operation, outcome: "failed", bytes: 0, durationMs: durationMs() });
      throw error;
    }
  }

  /** Between half and the whole of the attempt's time, so that callers do not meet again. */
  #backOff(attempt: number): Promise<void> {
    const longestMs = Math.min(objectBackoffMsMax, objectBackoffMsFirst * 2 ** (attempt - 1));
    const waitMs = longestMs / 2 + this.#random.below(longestMs / 2);
    return new Promise((resolve) => this.#clock.after(waitMs, resolve));
  }
}

function given(error: ObjectError, applied: "no" | "maybe"): ObjectError {
  if (error.applied === applied) return error;
  const { message, retriable } = error;
  return new ObjectError(message, { retriable, applied, cause: error });
}

function bytesRead(found: Uint8Array | undefined): number {
  return found?.length ?? 0;
}

/** What a read of `read` bytes from `from` on must answer if the object is this put's own. */
interface Proof {
  readonly from: number;
  readonly read: number;
  readonly bytes: Uint8Array;
}

function firstOf([first = new Uint8Array()]: readonly Uint8Array[]): Proof {
  return { from: 0, read: first.length, bytes: first };
}

function endOf(parts: readonly Uint8Array[]): Proof {
  const length = objectBytes(parts);
  const bytes = lastBytes(parts, Math.min(length, ownerProofBytesMax));
  // One more would be there if the object were longer.
  return { from: length - bytes.length, read: bytes.length + 1, bytes };
}

function lastBytes(parts: readonly Uint8Array[], bytes: number): Uint8Array {
  const last = new Uint8Array(bytes);
  let left = bytes;
  for (const part of parts.toReversed()) {
    const taken = part.subarray(Math.max(0, part.length - left));
    left -= taken.length;
    last.set(taken, left);
    if (left === 0) break;
  }
  return last;
}

function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}
