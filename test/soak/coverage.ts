/** Which offsets of each partition somebody got: told in ranges, in any order, some of them twice. */
export class Coverage {
  readonly #partitions = new Map<number, (readonly [from: number, to: number])[]>();

  add(partition: number, from: number, to: number): void {
    const ranges = this.#partitions.get(partition) ?? [];
    ranges.push([from, to]);
    this.#partitions.set(partition, ranges);
  }

  /** The offset below which nothing is missing. */
  coveredTo(partition: number): number {
    const ranges = this.#partitions.get(partition) ?? [];
    let end = 0;
    for (const [from, to] of ranges.toSorted((left, right) => left[0] - right[0])) {
      if (from > end) break;
      end = Math.max(end, to);
    }
    // What is covered needs to be remembered as one range only.
    this.#partitions.set(partition, [[0, end], ...ranges.filter(([, to]) => to > end)]);
    return end;
  }
}
