/** Bounds on what opening a batch may cost. */
export const recordLimits = {
  /**
   * Decompressed bytes of one batch, where the caller has no tighter bound. Legitimate batches are
   * some ten times their compressed size; a batch of `message.max.bytes` stays far below this.
   */
  decompressedBytesMax: 67_108_864,
  /** Errors that a refused batch names one by one: a reply must not grow with a bad batch. */
  recordErrorsMax: 100,
} as const;
