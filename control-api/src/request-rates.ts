/**
 * How often each principal may ask: a bucket of `requestBurstMax` requests that fills up again by
 * `requestsPerSecond`. So that a loop that went wrong does not take the broker's turns from its Kafka
 * clients. Of this process alone; behind a gateway its own throttle stands in for it.
 *
 * Not promised: that of more than `ratedPrincipalsMax` principals the least recent one is remembered.
 */
import type { Clock } from "@millrace/core";
import { ratedPrincipalsMax, requestBurstMax, requestsPerSecond } from "./limits.ts";
import type { Principal } from "./principal.ts";

export type Taken =
  | { readonly kind: "taken" }
  | { readonly kind: "tooMany"; readonly retryAfterMs: number };

interface Bucket {
  readonly requests: number;
  readonly atMs: number;
}

export class RequestRates {
  readonly #clock: Pick<Clock, "monotonicMs">;
  /** The least recent first. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(deps: { readonly clock: Pick<Clock, "monotonicMs"> }) {
    this.#clock = deps.clock;
  }

  take({ id, kind }: Pick<Principal, "kind" | "id">): Taken {
    const principal = `${kind} ${id}`;
    const nowMs = this.#clock.monotonicMs();
    const former = this.#buckets.get(principal) ?? { requests: requestBurstMax, atMs: nowMs };
    const filled = former.requests + ((nowMs - former.atMs) * requestsPerSecond) / 1_000;
    const requests = Math.min(requestBurstMax, filled);
    if (requests < 1) {
      return { kind: "tooMany", retryAfterMs: ((1 - requests) * 1_000) / requestsPerSecond };
    }
    this.#buckets.delete(principal);
    this.#buckets.set(principal, { requests: requests - 1, atMs: nowMs });
    if (this.#buckets.size > ratedPrincipalsMax) this.#forgetOne();
    return { kind: "taken" };
  }

  #forgetOne(): void {
    const [oldest] = this.#buckets.keys();
    if (oldest !== undefined) this.#buckets.delete(oldest);
  }
}
