import {
  assert,
  type Clock,
  type Consistency,
  type Item,
  type KeyRange,
  type KeySeeker,
  MetadataError,
  type MetadataStore,
  type Page,
  type Random,
  type TransactOutcome,
  type Write,
} from "@millrace/core";
import { type Lately, type PastReads, pastMsMax } from "./metadata-store-past.ts";

/**
 * What may go wrong in front of a metadata store: `throttled`: refused before any effect;
 * `requestLost`: no effect, but the caller can't know; `replyLost`: the effect is there, the caller
 * can't know; `lateEffect`: the caller can't know, and the effect comes some time later, if the
 * conditions hold then; `conflict`: another transaction on a key was under way.
 */
export type MetadataFault = "throttled" | "requestLost" | "replyLost" | "lateEffect" | "conflict";

export interface MetadataFaultRates {
  /**
   * Of 1000 calls, how many meet the fault. Reads, and seeks, meet `throttled` and `requestLost` only; `stale`
   * of 1000 eventual reads show, of each key, one of the states of the last `staleMsMax`.
   */
  readonly perThousand: Readonly<Partial<Record<MetadataFault | "stale", number>>>;
  /** At most `pastMsMax`; 2000 if absent. */
  readonly staleMsMax?: number;
  /** The longest wait before a call's effect, and before its reply, each drawn evenly. */
  readonly latencyMsMax?: number;
  /** The longest that a late effect takes; 5000 if absent. */
  readonly lateMsMax?: number;
}

const transactFaults: readonly MetadataFault[] = [
  "throttled",
  "conflict",
  "requestLost",
  "replyLost",
  "lateEffect",
];

/** A store with faults, drawn from a seeded Random, or planned one by one. Counts what it did. */
export class FaultyMetadataStore implements MetadataStore, KeySeeker {
  rates: MetadataFaultRates;
  /** How often each was met; `stale`: items that were not shown in their present state. */
  readonly counts: Record<MetadataFault | "stale", number> = {
    throttled: 0,
    requestLost: 0,
    replyLost: 0,
    lateEffect: 0,
    conflict: 0,
    stale: 0,
  };
  readonly #inner: MetadataStore;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #past: PastReads | undefined;
  readonly #seeker: KeySeeker | undefined;
  readonly #planned: (MetadataFault | "none")[] = [];

  constructor(
    inner: MetadataStore,
    deps: {
      readonly clock: Clock;
      readonly random: Random;
      readonly rates?: MetadataFaultRates;
      /** The inner store, if it remembers what was, for stale reads. */
      readonly past?: PastReads;
      /** The inner store, if it can seek. */
      readonly seeker?: KeySeeker;
    },
  ) {
    this.#inner = inner;
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#past = deps.past;
    this.#seeker = deps.seeker;
    this.rates = deps.rates ?? { perThousand: {} };
  }

  /** The next transactions meet exactly these, one each, before faults are drawn again. */
  plan(...faults: readonly (MetadataFault | "none")[]): void {
    this.#planned.push(...faults);
  }

  async get(key: string, consistency?: Consistency): Promise<Item | undefined> {
    await this.#readFault();
    const stale = this.#stale(consistency);
    const item =
      stale === undefined
        ? await this.#inner.get(key, consistency)
        : stale.past.getLately(key, stale.lately);
    await this.#latency();
    return item;
  }

  async range(range: KeyRange): Promise<Page> {
    await this.#readFault();
    const stale = this.#stale(range.consistency);
    const page =
      stale === undefined
        ? await this.#inner.range(range)
        : stale.past.rangeLately(range, stale.lately);
    await this.#latency();
    return page;
  }

  async firstKey(bounds: Pick<KeyRange, "from" | "to">): Promise<string | undefined> {
    assert(this.#seeker !== undefined, "seeking needs a store that can");
    await this.#readFault();
    const key = await this.#seeker.firstKey(bounds);
    await this.#latency();
    return key;
  }

  async transact(writes: readonly Write[]): Promise<TransactOutcome> {
    const fault = this.#planned.shift() ?? this.#draw(transactFaults);
    await this.#latency();
    if (fault !== "none") this.counts[fault] += 1;
    if (fault === "lateEffect") this.#later(writes);
    if (fault !== "none" && fault !== "replyLost") throw failure(fault, "lasting");
    const outcome = await this.#inner.transact(writes);
    await this.#latency();
    if (fault === "replyLost") throw failure(fault, "lasting");
    return outcome;
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  async #readFault(): Promise<void> {
    const fault = this.#draw(["throttled", "requestLost"]);
    await this.#latency();
    if (fault === "none") return;
    this.counts[fault] += 1;
    throw failure(fault, "none");
  }

  #later(writes: readonly Write[]): void {
    const delayMs = this.#random.below((this.rates.lateMsMax ?? 5000) + 1);
    // What the caller changes meanwhile is not sent any more.
    const sent = structuredClone(writes);
    this.#clock.after(delayMs, () => {
      this.#inner.transact(sent).catch((error: unknown) => {
        // Nobody waits for the answer any more.
        if (!(error instanceof MetadataError)) throw error;
      });
    });
  }

  /** Set: this read shows what was. */
  #stale(
    consistency: Consistency | undefined,
  ): { readonly past: PastReads; readonly lately: Lately } | undefined {
    const perThousand = this.rates.perThousand.stale ?? 0;
    if (consistency !== "eventual" || perThousand === 0) return undefined;
    const { staleMsMax = 2000 } = this.rates;
    assert(staleMsMax <= pastMsMax, `nothing is remembered for ${staleMsMax} ms`);
    const past = this.#past;
    assert(past !== undefined, "stale reads need a store that remembers");
    if (this.#random.below(1000) >= perThousand) return undefined;
    const choose = (count: number): number => {
      const chosen = this.#random.below(count);
      if (chosen < count - 1) this.counts.stale += 1;
      return chosen;
    };
    return { past, lately: { sinceMs: this.#clock.monotonicMs() - staleMsMax, choose } };
  }

  #draw(faults: readonly MetadataFault[]): MetadataFault | "none" {
    let ticket = this.#random.below(1000);
    for (const fault of faults) {
      ticket -= this.rates.perThousand[fault] ?? 0;
      if (ticket < 0) return fault;
    }
    return "none";
  }

  #latency(): Promise<void> {
    const longestMs = this.rates.latencyMsMax ?? 0;
    if (longestMs === 0) return Promise.resolve();
    const delayMs = this.#random.below(longestMs + 1);
    return new Promise((resolve) => this.#clock.after(delayMs, resolve));
  }
}

/** As real stores say it: `effect` is what the call has if it is made. */
function failure(fault: MetadataFault, effect: "none" | "lasting"): MetadataError {
  const isRefused = fault === "throttled" || fault === "conflict";
  const applied = effect === "none" || isRefused ? "no" : "maybe";
  return new MetadataError(`injected: ${fault}`, { retriable: true, applied });
}
