import {
  type Clock,
  ObjectError,
  type ObjectListing,
  type ObjectPage,
  type ObjectRange,
  type ObjectStore,
  type Random,
} from "@millrace/core";

/**
 * What may go wrong in front of an object store:
 * `slowDown`: refused before any effect (503); `requestLost`: a timeout, no effect, but the caller
 * can't know; `replyLost`: a timeout, the effect is there; `lateEffect`: a timeout, the effect
 * comes some time after it; `conflict`: another request for the key was under way (409), no effect
 * of this one; `slowRead`, `slowList`: the answer takes much longer; `missing`: a read met an
 * object that was lost (see `lose`).
 */
export type ObjectFault =
  | "slowDown"
  | "requestLost"
  | "replyLost"
  | "lateEffect"
  | "conflict"
  | "slowRead"
  | "slowList"
  | "missing";

/** Those that may be planned: all but the one that hangs on an object. */
export type PlannedObjectFault = Exclude<ObjectFault, "missing"> | "none";

export type ObjectOperation = "put" | "read" | "list" | "delete";

export interface ObjectFaultRates {
  /**
   * Of 1000 calls, how many meet the fault. Reads and lists meet `slowDown`, `requestLost` and
   * their slowness, puts all but slowness, deletions all but slowness and `conflict`.
   */
  readonly perThousand: Readonly<Partial<Record<Exclude<ObjectFault, "missing">, number>>>;
  /** The longest wait before a call's effect, and before its reply, each drawn evenly. */
  readonly latencyMsMax?: number;
  /** The longest that a slow answer, a timeout or a late effect takes; 10 seconds if absent. */
  readonly slowMsMax?: number;
}

export interface ObjectFaultDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly rates?: ObjectFaultRates;
  /** Told of every fault that a call met, as `counts` are. */
  readonly onFault?: (met: {
    readonly fault: ObjectFault;
    readonly operation: ObjectOperation;
    /** The key, the first of the keys, or the prefix. */
    readonly key: string;
  }) => void;
}

const slowMsMaxUsually = 10_000;
const metBy: Readonly<Record<ObjectOperation, readonly Exclude<ObjectFault, "missing">[]>> = {
  put: ["slowDown", "conflict", "requestLost", "replyLost", "lateEffect"],
  delete: ["slowDown", "requestLost", "replyLost", "lateEffect"],
  read: ["slowDown", "requestLost", "slowRead"],
  list: ["slowDown", "requestLost", "slowList"],
};

/**
 * A store with faults, drawn from a seeded Random, or planned one by one. Counts what it did. It
 * is the way to the store, so a broker's crash does not end what is under way here: a put of a dead
 * broker may still take effect.
 */
export class FaultyObjectStore implements ObjectStore {
  rates: ObjectFaultRates;
  readonly counts: Record<ObjectFault, number> = {
    slowDown: 0,
    requestLost: 0,
    replyLost: 0,
    lateEffect: 0,
    conflict: 0,
    slowRead: 0,
    slowList: 0,
    missing: 0,
  };
  readonly #inner: ObjectStore;
  readonly #deps: ObjectFaultDeps;
  readonly #planned: Record<ObjectOperation, PlannedObjectFault[]> = {
    put: [],
    delete: [],
    read: [],
    list: [],
  };
  readonly #lost = new Set<string>();

  constructor(inner: ObjectStore, deps: ObjectFaultDeps) {
    this.#inner = inner;
    this.#deps = deps;
    this.rates = deps.rates ?? { perThousand: {} };
  }

  /** The operation's next calls meet exactly these, one each, before faults are drawn again. */
  plan(operation: ObjectOperation, ...faults: readonly PlannedObjectFault[]): void {
    this.#planned[operation].push(...faults);
  }

  /**
   * Loses an object for good: reads do not find it, lists do not show it. A put of the key is told
   * `exists`, as by a store that remembers what it can't read any more, until it is deleted.
   */
  lose(key: string): void {
    this.#lost.add(key);
  }

  /** Brings lost objects back, as an operator does from a versioned bucket. */
  findLost(): void {
    this.#lost.clear();
  }

  async putIfAbsent(key: string, parts: readonly Uint8Array[]): Promise<"stored" | "exists"> {
    // The caller may change them once it has its answer, late effect or not.
    const copies = parts.map((part) => part.slice());
    return this.#write("put", key, () => this.#inner.putIfAbsent(key, copies));
  }

  async delete(keys: readonly string[]): Promise<void> {
    const copy = [...keys];
    await this.#write("delete", copy[0] ?? "", async () => {
      await this.#inner.delete(copy);
      for (const key of copy) this.#lost.delete(key);
    });
  }

  async readRange(key: string, range: ObjectRange): Promise<Uint8Array | undefined> {
    await this.#readFault("read", key);
    const found = await this.#inner.readRange(key, range);
    const isLost = found !== undefined && this.#lost.has(key);
    if (isLost) this.#meet("missing", "read", key);
    await this.#latency();
    return isLost ? undefined : found;
  }

  async list(listing: ObjectListing): Promise<ObjectPage> {
    await this.#readFault("list", listing.prefix);
    const page = await this.#inner.list(listing);
    await this.#latency();
    const objects = page.objects.filter(({ key }) => !this.#lost.has(key));
    return { ...page, objects };
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  async #write<Result>(
    operation: "put" | "delete",
    key: string,
    effect: () => Promise<Result>,
  ): Promise<Result> {
    const fault = this.#next(operation);
    await this.#latency();
    if (fault !== "none") this.#meet(fault, operation, key);
    if (fault === "lateEffect") this.#later(effect);
    if (fault === "requestLost" || fault === "lateEffect") await this.#slowness();
    const hasEffect = fault === "none" || fault === "replyLost";
    if (!hasEffect) throw failure(fault);
    const result = await effect();
    if (fault === "replyLost") await this.#slowness();
    else await this.#latency();
    if (fault === "replyLost") throw failure(fault);
    return result;
  }

  async #readFault(operation: "read" | "list", key: string): Promise<void> {
    const fault = this.#next(operation);
    await this.#latency();
    if (fault === "none") return;
    this.#meet(fault, operation, key);
    if (fault !== "slowDown") await this.#slowness();
    if (fault === "slowDown" || fault === "requestLost") throw failure(fault);
  }

  /** Twice the wait of the timeout at most, so that it comes before or after the next try. */
  #later(effect: () => Promise<unknown>): void {
    const delayMs = this.#deps.random.below(2 * this.#slowMsMax + 1);
    this.#deps.clock.after(delayMs, () => {
      void effect().catch((error: unknown) => {
        // The store refuses it: nobody waits for the answer any more, and there is no effect.
        if (!(error instanceof ObjectError)) throw error;
      });
    });
  }

  #next(operation: ObjectOperation): PlannedObjectFault {
    const planned = this.#planned[operation].shift();
    if (planned !== undefined) return planned;
    let ticket = this.#deps.random.below(1000);
    for (const fault of metBy[operation]) {
      ticket -= this.rates.perThousand[fault] ?? 0;
      if (ticket < 0) return fault;
    }
    return "none";
  }

  #meet(fault: ObjectFault, operation: ObjectOperation, key: string): void {
    this.counts[fault] += 1;
    this.#deps.onFault?.({ fault, operation, key });
  }

  get #slowMsMax(): number {
    return this.rates.slowMsMax ?? slowMsMaxUsually;
  }

  /** Between a half and the whole of the longest. */
  #slowness(): Promise<void> {
    const halfMs = Math.ceil(this.#slowMsMax / 2);
    return this.#wait(halfMs + this.#deps.random.below(halfMs + 1));
  }

  #latency(): Promise<void> {
    const longestMs = this.rates.latencyMsMax ?? 0;
    if (longestMs === 0) return Promise.resolve();
    return this.#wait(this.#deps.random.below(longestMs + 1));
  }

  #wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#deps.clock.after(delayMs, resolve));
  }
}

function failure(fault: PlannedObjectFault): ObjectError {
  const applied = fault === "slowDown" ? "no" : "maybe";
  return new ObjectError(`injected: ${fault}`, { retriable: true, applied });
}
