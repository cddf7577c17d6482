/** The arithmetic of the bench: spreads, ratios and the quantiles of a Prometheus histogram. */

export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
  readonly count: number;
}

/** The median of an even number of samples is the mean of the two in the middle. */
export function spreadOf(samples: readonly number[]): Spread {
  if (samples.length === 0) throw new Error("a figure without a measurement");
  if (!samples.every((sample) => Number.isFinite(sample) && sample >= 0)) {
    throw new Error(`not a measurement: ${samples.join(", ")}`);
  }
  const sorted = samples.toSorted((left, right) => left - right);
  const at = (index: number): number => sorted[index] ?? 0;
  const middle = (sorted.length - 1) / 2;
  const median = (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2;
  return { min: at(0), median, max: at(sorted.length - 1), count: sorted.length };
}

/** The smallest sample that this share of all of them does not exceed: always one that was measured. */
export function quantileOf(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((left, right) => left - right);
  const found = sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1];
  if (found === undefined) throw new Error(`no quantile ${share} of ${samples.length} samples`);
  return found;
}

/** Of the medians; throws where the second is zero, which is no measurement to compare with. */
export function ratioOf(ours: Spread, theirs: Spread): number {
  if (theirs.median === 0) throw new Error("a ratio to a median of zero");
  return ours.median / theirs.median;
}

/** A histogram's cumulative counts by upper bound, the last one being infinite. */
export type Buckets = readonly { readonly bound: number; readonly count: number }[];

/** Reads one histogram without labels out of Prometheus text; throws when it is not there. */
export function bucketsIn(exposition: string, name: string): Buckets {
  const pattern = new RegExp(`^${name}_bucket\\{le="([^"]+)"\\} (\\d+)$`, "gm");
  const buckets = [...exposition.matchAll(pattern)].map(([, bound = "", count = ""]) => ({
    bound: bound === "+Inf" ? Number.POSITIVE_INFINITY : Number(bound),
    count: Number(count),
  }));
  if (buckets.length === 0) throw new Error(`no histogram ${name} among the metrics`);
  return buckets;
}

/** What was observed between two readings of one histogram. */
export function bucketsSince(before: Buckets, after: Buckets): Buckets {
  if (before.length !== after.length) throw new Error("two readings of different histograms");
  return after.map(({ bound, count }, index) => ({
    bound,
    count: count - (before[index]?.count ?? 0),
  }));
}

/**
 * The bound of the bucket that holds the quantile: an upper bound of it, which is all that a
 * histogram knows for certain. Of n observations, a quantile above 1 - 1/n is the largest one.
 */
export function quantileBound(buckets: Buckets, quantile: number): number {
  const total = buckets.at(-1)?.count ?? 0;
  if (total === 0) throw new Error("a histogram without observations");
  const rank = Math.ceil(total * quantile);
  const bucket = buckets.find(({ count }) => count >= rank);
  return bucket?.bound ?? Number.POSITIVE_INFINITY;
}

/**
 * What something that comes at a random moment of `seconds` waits at most, with this probability,
 * where the histogram has the lengths of all stretches in which nothing is served: it waits for the
 * end of the stretch that it falls into. Each stretch counts as long as its bucket's bound.
 */
export function waitBound(buckets: Buckets, seconds: number, probability: number): number {
  const longerThan = (wait: number): number =>
    buckets.reduce((sum, { bound, count }, index) => {
      const inBucket = count - (buckets[index - 1]?.count ?? 0);
      return inBucket === 0 ? sum : sum + inBucket * Math.max(0, bound - wait);
    }, 0);
  const allowed = seconds * (1 - probability);
  let low = 0;
  let high = quantileBound(buckets, 1);
  if (high === Number.POSITIVE_INFINITY) return high;
  for (let step = 0; step < 40; step += 1) {
    const middle = (low + high) / 2;
    if (longerThan(middle) > allowed) low = middle;
    else high = middle;
  }
  return high;
}
