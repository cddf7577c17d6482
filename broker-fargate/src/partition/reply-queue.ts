/**
 * Replies of one partition that wait for the state that they reveal.
 *
 * A reply to an append, to a duplicate and to a refused batch alike tells the client something of
 * the partition's end; it leaves when the log, and so the high watermark, has come up to that end.
 * Ends never fall while replies wait, so replies leave in the order in which they were queued.
 */
export class ReplyQueue<Reply> {
  #waiting: { readonly end: number; readonly reply: Reply; readonly send: Send<Reply> }[] = [];

  get length(): number {
    return this.#waiting.length;
  }

  /** Resolves with `reply` when the log has come to `end`, or with what `failAll` says. */
  add(end: number, reply: Reply): Promise<Reply> {
    return new Promise((send) => this.#waiting.push({ end, reply, send }));
  }

  /** The log has everything below `end`. */
  release(end: number): void {
    let count = 0;
    for (const { end: needed, reply, send } of this.#waiting) {
      if (needed > end) break;
      send(reply);
      count++;
    }
    if (count > 0) this.#waiting.splice(0, count);
  }

  /** What waits will not be true, or nobody knows: every reply becomes this one. */
  failAll(reply: Reply): void {
    for (const { send } of this.#waiting.splice(0)) send(reply);
  }
}

type Send<Reply> = (reply: Reply) => void;
