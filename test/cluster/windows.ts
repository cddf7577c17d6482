/** How long each partition was without an acknowledgement, in windows of time. */
export interface PartitionWindow {
  readonly partition: number;
  /** The longest time from one acknowledgement to the next, in ms; also one that is not over. */
  readonly gapMs: number;
  /** When that began, from the beginning of the window on; negative: before it. */
  readonly gapAtMs: number;
  /** The broker that led it at the window's beginning, and at its end. */
  readonly from: number | undefined;
  readonly to: number | undefined;
  readonly acks: number;
}

interface Watched {
  /** Infinitely long ago before the first one, from which on gaps count. */
  lastAckMs: number;
  gapMs: number;
  gapAtMs: number;
  acks: number;
  from: number | undefined;
}

export class Windows {
  readonly #watched = new Map<number, Watched>();
  #begunMs: number;

  constructor(partitions: number, nowMs: number) {
    this.#begunMs = nowMs;
    for (let partition = 0; partition < partitions; partition += 1) {
      this.#watched.set(partition, {
        ...{
          lastAckMs: Number.NEGATIVE_INFINITY,
          gapMs: 0,
          gapAtMs: nowMs,
          acks: 0,
          from: undefined,
        },
      });
    }
  }

  acked(partition: number, nowMs: number): void {
    const watched = this.#watched.get(partition);
    if (watched === undefined) return;
    this.#gap(watched, nowMs);
    watched.lastAckMs = nowMs;
    watched.acks += 1;
  }

  /** How long the partition that waits longest has been without one; infinite before its first. */
  silenceMs(nowMs: number): number {
    return Math.max(...[...this.#watched.values()].map(({ lastAckMs }) => nowMs - lastAckMs));
  }

  silenceOf(partition: number, nowMs: number): number {
    return nowMs - (this.#watched.get(partition)?.lastAckMs ?? nowMs);
  }

  /** Ends a window and begins the next one. */
  next(
    nowMs: number,
    leaderOf: (partition: number) => number | undefined,
  ): readonly PartitionWindow[] {
    const begunMs = this.#begunMs;
    this.#begunMs = nowMs;
    return [...this.#watched].map(([partition, watched]) => {
      this.#gap(watched, nowMs);
      const { acks, from, gapAtMs, gapMs } = watched;
      const to = leaderOf(partition);
      Object.assign(watched, { gapMs: 0, gapAtMs: nowMs, acks: 0, from: to });
      return { partition, gapMs, gapAtMs: gapAtMs - begunMs, from, to, acks };
    });
  }

  #gap(watched: Watched, nowMs: number): void {
    if (!Number.isFinite(watched.lastAckMs)) return;
    const gapMs = nowMs - watched.lastAckMs;
    if (gapMs <= watched.gapMs) return;
    watched.gapMs = gapMs;
    watched.gapAtMs = watched.lastAckMs;
  }
}
