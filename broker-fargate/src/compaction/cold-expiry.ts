/**
 * Up to where tombstones and markers may expire in the hot log of a partition that the object store
 * has older parts of.
 *
 * A tombstone may go when nothing older of its key is left, and when who read that has had
 * `delete.retention.ms` to come to the tombstone. Its horizon, which a round over the hot log gave
 * it, counts from when the hot log was rid of what is older. This counts the same time from when the
 * cold parts were. It is known in memory only: after a start it begins anew.
 */
export class ColdExpiry {
  #bound = 0;
  #next: { readonly offset: number; readonly sinceMs: number } | undefined;

  /**
   * To be called now and then: what it says lags behind by a call or two. `cleanedTo`: the end of
   * the clean cold parts; `nowMs`: monotonic.
   */
  look(cleanedTo: number, nowMs: number, deleteRetentionMs: number): number {
    // The object store got rid of all, and began anew with what was not cleaned.
    if (cleanedTo < this.#bound) this.#bound = cleanedTo;
    if (cleanedTo < (this.#next?.offset ?? 0)) this.#next = undefined;
    if (cleanedTo > this.#bound) this.#next ??= { offset: cleanedTo, sinceMs: nowMs };
    if (this.#next !== undefined && nowMs - this.#next.sinceMs >= deleteRetentionMs) {
      this.#bound = this.#next.offset;
      this.#next = undefined;
    }
    return this.#bound;
  }
}
