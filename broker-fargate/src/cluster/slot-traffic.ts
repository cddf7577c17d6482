import { assert, type Clock, hotSlotsMax, type Load, type Slot } from "@millrace/core";
import { trafficWindowMs } from "./limits.ts";

/**
 * What clients write to and read from each slot here, in bytes per second, for the heartbeat that
 * tells it to the controller. Counting is one addition; rates are made when somebody asks: a mean
 * whose weights fall by `e` in `trafficWindowMs`, so that a burst of a second moves nothing.
 */
export class SlotTraffic {
  readonly #clock: Clock;
  /** By slot, since rates were made last. */
  readonly #counted: Float64Array;
  readonly #rates: Float64Array;
  #madeMs: number;

  constructor(clock: Clock, slots: number) {
    this.#clock = clock;
    this.#counted = new Float64Array(slots);
    this.#rates = new Float64Array(slots);
    this.#madeMs = clock.monotonicMs();
  }

  /** Never throws and never allocates: it is on the hot path. */
  count(slot: Slot, bytes: number): void {
    this.#counted[slot] = (this.#counted[slot] ?? 0) + bytes;
  }

  /** Of the slots that are led here. What a slot had before it went elsewhere is forgotten. */
  load(leads: (slot: Slot) => boolean): Load {
    this.#makeRates();
    const hot: (readonly [Slot, number])[] = [];
    let total = 0;
    for (const [number, rate] of this.#rates.entries()) {
      if (rate < rateMin) continue;
      if (!leads(number as Slot)) {
        this.#rates[number] = 0;
        continue;
      }
      total += rate;
      hot.push([number as Slot, Math.round(rate)]);
    }
    const slots = hot.toSorted((a, b) => b[1] - a[1]).slice(0, hotSlotsMax);
    return { total: Math.round(total), slots };
  }

  #makeRates(): void {
    const nowMs = this.#clock.monotonicMs();
    const passedMs = nowMs - this.#madeMs;
    assert(passedMs >= 0, "monotonic time goes on");
    if (passedMs === 0) return;
    this.#madeMs = nowMs;
    const kept = Math.exp(-passedMs / trafficWindowMs);
    for (const [number, bytes] of this.#counted.entries()) {
      const before = this.#rates[number] ?? 0;
      if (bytes === 0 && before === 0) continue;
      const now = (bytes * 1000) / passedMs;
      this.#rates[number] = now + (before - now) * kept;
    }
    this.#counted.fill(0);
  }
}

/** Bytes per second; less is nothing. */
const rateMin = 1;
