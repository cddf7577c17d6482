/**
 * Randomness. The node adapter's is fit for ids that nobody can guess; the simulation's is seeded,
 * so that one seed is one run.
 */
export interface Random {
  /** `length` random bytes, in a buffer of their own. */
  bytes(length: number): Uint8Array;
  /** An integer from 0 up to, not including, `limit` (at most 2^32). */
  below(limit: number): number;
}
