/**
 * One byte stream to a peer, as the connection sees it: a socket, or in a simulation a pair of
 * queues. The link calls its connection's `receive`, `inputEnded`, `drained` and `closed`.
 *
 * Promised: chunks come in order, and none after `closed`; `drained` follows every `"full"` unless
 * `closed` comes first; `closed` is called once. No call of the connection happens inside one of
 * these methods, so that the connection's state is whole whenever it is entered.
 * Not promised: that bytes written before a close arrive; that no chunk comes after `pause`: what
 * was on its way may.
 */
export interface Link {
  /**
   * Sends the parts one after another. They must not change until `sent` is called, which happens
   * once, in a later turn or in this one, when the link needs them no more; never, if the link ends
   * before. `"full"` says that the unsent bytes are above the watermark: they were taken, and a
   * writer that means well waits. After a close the parts are dropped.
   */
  write(parts: readonly Uint8Array[], sent?: () => void): "ok" | "full";
  /** Bytes that were written and have not left this process yet. */
  unsentBytes(): number;
  pause(): void;
  resume(): void;
  /** `"written"`: when all that was written is sent. `"now"`: at once, dropping what is not. */
  close(when: "written" | "now"): void;
}

/** The other direction: what a link tells its connection. */
export interface LinkListener {
  /** The bytes are valid during the call only. */
  receive(chunk: Uint8Array): void;
  /** The peer will send nothing more. It may still read. */
  inputEnded(): void;
  drained(): void;
  /** The link is gone. An error says that it was not by agreement. */
  closed(error: Error | undefined): void;
}
