/**
 * A frame that does not follow the protocol: cut off, a length past its bound, malformed UTF-8, a null where none may
 * be. Whoever sent it cannot be understood any further, so the connection is what ends.
 */
export class DecodeError extends Error {
  override readonly name = "DecodeError";
  readonly reason: string;
  /** Offset of the offending bytes in the array that the reader was made over. */
  readonly position: number;

  constructor(reason: string, position: number) {
    super(`${reason} at byte ${position}`);
    this.reason = reason;
    this.position = position;
  }
}

/**
 * A message that the version cannot carry: a value outside of its type's range, a null where none may be, or a value
 * other than the default in a field that the version lacks and that may not be dropped. Always a bug of the caller.
 */
export class EncodeError extends Error {
  override readonly name = "EncodeError";
}
