/** Label names and values. Values may be any text; names are `[a-zA-Z_][a-zA-Z0-9_]*`. */
export type Labels = Readonly<Record<string, string>>;

/** Counts upwards. Never throws and never allocates: it is made for hot paths. */
export class Counter {
  private total = 0;

  add(amount = 1): void {
    this.total += amount;
  }

  get value(): number {
    return this.total;
  }
}

/** A value that moves both ways. */
export class Gauge {
  private current = 0;

  set(value: number): void {
    this.current = value;
  }

  add(amount: number): void {
    this.current += amount;
  }

  get value(): number {
    return this.current;
  }
}

/** Counts observations by fixed upper bounds. An observation costs a few comparisons, no memory. */
export class Histogram {
  readonly bounds: Float64Array;
  /** One more than bounds: the last bucket has none. Not cumulative. */
  private readonly buckets: Float64Array;
  private total = 0;

  /** The bounds must ascend. */
  constructor(bounds: readonly number[]) {
    this.bounds = Float64Array.from(bounds);
    this.buckets = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const bounds = this.bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket += 1;
    this.buckets[bucket] = (this.buckets[bucket] as number) + 1;
    this.total += value;
  }

  get sum(): number {
    return this.total;
  }

  get count(): number {
    return this.buckets.reduce((sum, inBucket) => sum + inBucket, 0);
  }

  /** Observations at or below each bound, and at last all of them. */
  cumulative(): readonly number[] {
    let sum = 0;
    return Array.from(this.buckets, (inBucket) => {
      sum += inBucket;
      return sum;
    });
  }
}

/** From a fifth of a millisecond to half a minute: what a request may take. */
export const secondsBounds: readonly number[] = [
  0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];
