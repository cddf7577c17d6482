/**
 * Who keeps the journal from being trimmed, and from which seq on: partitions with entries that are
 * not yet durable in another place, as a sync or the object store makes them.
 *
 * What is being made durable counts until that has ended; entries that come meanwhile count anew.
 */
export class TrimHolds<Owner> {
  /** The first seq that nothing covers. Added at the end, so that the first one is the oldest. */
  readonly #waiting = new Map<Owner, number>();
  readonly #underWay = new Map<Owner, number>();

  get size(): number {
    return this.#waiting.size + this.#underWay.size;
  }

  /** An entry of the partition is in the object of this seq; seqs never fall. */
  add(owner: Owner, seq: number): void {
    if (!this.#waiting.has(owner)) this.#waiting.set(owner, seq);
  }

  /** All entries up to now are on their way. False: there are none. */
  begin(owner: Owner): boolean {
    const seq = this.#underWay.get(owner) ?? this.#waiting.get(owner);
    if (seq === undefined) return false;
    this.#waiting.delete(owner);
    this.#underWay.set(owner, seq);
    return true;
  }

  /** They are there. Without it they stay, to be begun again. */
  end(owner: Owner): void {
    this.#underWay.delete(owner);
  }

  /** The partition is gone: nothing of it holds the trim. */
  forget(owner: Owner): void {
    this.#waiting.delete(owner);
    this.#underWay.delete(owner);
  }

  /** Those with something to cover, the oldest first. */
  owners(): readonly Owner[] {
    return [...new Set([...this.#underWay.keys(), ...this.#waiting.keys()])];
  }

  /** The first seq that must stay; infinite: nothing holds the trim. */
  oldestSeq(): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const seq of this.#underWay.values()) oldest = Math.min(oldest, seq);
    for (const seq of this.#waiting.values()) return Math.min(oldest, seq);
    return oldest;
  }
}
