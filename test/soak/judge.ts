/**
 * Whether a series grows. A leak raises the floor of a series: what is left when garbage was
 * collected and clients are between two loads. So the time after the warm-up is cut into blocks, the
 * least value of each is taken, and a line is laid through them.
 */

export interface Point {
  readonly seconds: number;
  readonly value: number;
}

export interface Slope {
  /** In the series' unit. */
  readonly perHour: number;
  /** Half the width of the 95 % confidence interval. */
  readonly plusMinus: number;
  /** Mean of the floors in the first and the last third of the blocks. */
  readonly firstThird: number;
  readonly lastThird: number;
}

export const blocks = 12;
/** Student's t for 95 % and two degrees of freedom less than there are blocks. */
const studentT = 2.228;

/** Throws when there are fewer points than would fill the blocks. */
export function slopeOf(points: readonly Point[]): Slope {
  const floors = floorsOf(points);
  const meanSeconds = mean(floors.map(({ seconds }) => seconds));
  const meanValue = mean(floors.map(({ value }) => value));
  const spread = sum(floors.map(({ seconds }) => (seconds - meanSeconds) ** 2));
  const slope =
    sum(floors.map(({ seconds, value }) => (seconds - meanSeconds) * (value - meanValue))) / spread;
  const residuals = floors.map(
    ({ seconds, value }) => value - meanValue - slope * (seconds - meanSeconds),
  );
  const error = Math.sqrt(sum(residuals.map((left) => left ** 2)) / (blocks - 2) / spread);
  const third = blocks / 3;
  return {
    perHour: slope * 3600,
    plusMinus: error * studentT * 3600,
    firstThird: mean(floors.slice(0, third).map(({ value }) => value)),
    lastThird: mean(floors.slice(-third).map(({ value }) => value)),
  };
}

/**
 * A series grows when its slope is above what is allowed and certainly not zero. What cannot be told
 * from noise is no growth; how wide the noise is stands beside it.
 */
export function grows(slope: Slope, allowedPerHour: number): boolean {
  return slope.perHour > allowedPerHour && slope.perHour > slope.plusMinus;
}

function floorsOf(points: readonly Point[]): readonly Point[] {
  const first = points[0]?.seconds ?? 0;
  const width = ((points.at(-1)?.seconds ?? 0) - first) / blocks;
  return Array.from({ length: blocks }, (_, index) => {
    const from = first + index * width;
    const isLast = index === blocks - 1;
    const inside = points.filter(
      ({ seconds }) => seconds >= from && (seconds < from + width || isLast),
    );
    if (inside.length === 0) throw new Error("too few samples to judge a slope");
    return { seconds: from + width / 2, value: Math.min(...inside.map(({ value }) => value)) };
  });
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}
