import { assert, type Random } from "@millrace/core";

/** Of a store's answers half come within the one, and 99 of 100 within the other. */
export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** As AWS's stores are taken to be. */
export const modelled: { readonly objects: Latency; readonly metadata: Latency } = {
  objects: { p50Ms: 30, p99Ms: 150 },
  metadata: { p50Ms: 5, p99Ms: 20 },
};

/** So many standard deviations above the mean lies one of 100. */
const deviationsOfP99 = 2.326;
const steps = 0x100000000;

/** Log-normal: most are near the median, and some are many times as long. */
export function drawMs({ p50Ms, p99Ms }: Latency, random: Random): number {
  assert(p50Ms > 0 && p99Ms >= p50Ms, "a latency has a median, and more than that above it");
  const deviation = Math.log(p99Ms / p50Ms) / deviationsOfP99;
  return p50Ms * Math.exp(deviation * drawNormal(random));
}

/** Box and Muller's. */
function drawNormal(random: Random): number {
  const [one, other] = [(random.below(steps) + 1) / steps, random.below(steps) / steps];
  return Math.sqrt(-2 * Math.log(one)) * Math.cos(2 * Math.PI * other);
}
