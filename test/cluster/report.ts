/** Distributions of outages, and the table that shows them. */

/** A partition's longest silence after a fault. */
interface Silence {
  /** The kind of fault, or what its outages are called. */
  readonly of: string;
  readonly gapMs: number;
  /** The number of the fault. */
  readonly fault: number;
}

export interface Distribution {
  readonly of: string;
  readonly faults: number;
  /** One for each partition and fault. */
  readonly outages: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly maxMs: number;
}

export function distributions(outages: readonly Silence[]): readonly Distribution[] {
  const kinds = [...new Set(outages.map(({ of }) => of))];
  return kinds.map((of) => {
    const its = outages.filter((outage) => outage.of === of);
    const gaps = its.map(({ gapMs }) => gapMs).toSorted((a, b) => a - b);
    const at = (part: number): number =>
      gaps[Math.min(gaps.length - 1, Math.floor(gaps.length * part))] ?? 0;
    return {
      ...{ of, faults: new Set(its.map(({ fault }) => fault)).size, outages: its.length },
      ...{ p50Ms: at(0.5), p90Ms: at(0.9), maxMs: at(1) },
    };
  });
}

export function reportLines(rows: readonly Distribution[]): readonly string[] {
  const ms = (value: number): string => value.toFixed(0);
  return [
    "| what | faults | partitions | p50 ms | p90 ms | max ms |",
    "| --- | --- | --- | --- | --- | --- |",
    ...rows.map(
      ({ of, faults, outages, p50Ms, p90Ms, maxMs }) =>
        `| ${of} | ${faults} | ${outages} | ${ms(p50Ms)} | ${ms(p90Ms)} | ${ms(maxMs)} |`,
    ),
  ];
}
