import { assert } from "./assert.ts";
import type { SideUrgency } from "./ports/side-work.ts";

export interface SideQueueLimits {
  /** Tasks that run at the same time, of which one at most is a background one. */
  readonly threadsMax: number;
  readonly waitingCallsMax: number;
  /** Bytes of waiting calls; one alone may have more. */
  readonly waitingBytesMax: number;
}

/** So many replies begin while a background call waits that might; then that one does. */
const repliesBeforeBackgroundMax = 16;

interface Waiting {
  readonly urgency: SideUrgency;
  readonly byteLength: number;
}

/**
 * Which call of side work begins next: the same for threads and for a simulation. Replies first, but
 * for one in some, which must not keep compaction and uploads waiting for ever; within an urgency in
 * the order in which they came; one background call at a time, so that what a client waits for finds
 * a thread.
 */
export class SideQueue<Call extends Waiting> {
  readonly #limits: SideQueueLimits;
  readonly #replies: Call[] = [];
  readonly #background: Call[] = [];
  #waitingBytes = 0;
  #running = 0;
  #backgroundRunning = 0;
  /** Replies that began since a background call waits that might have. */
  #passedOver = 0;

  constructor(limits: SideQueueLimits) {
    assert(limits.threadsMax > 0, "side work needs a thread");
    this.#limits = limits;
  }

  get running(): number {
    return this.#running;
  }

  add(call: Call): "waiting" | "full" {
    const { waitingBytesMax, waitingCallsMax } = this.#limits;
    const count = this.#replies.length + this.#background.length;
    const bytes = this.#waitingBytes + call.byteLength;
    if (count >= waitingCallsMax || (count > 0 && bytes > waitingBytesMax)) return "full";
    this.#lineOf(call).push(call);
    this.#waitingBytes = bytes;
    return "waiting";
  }

  /** The call that may begin now; it runs until `ended`. */
  begin(): Call | undefined {
    if (this.#running === this.#limits.threadsMax) return undefined;
    const call = this.#next();
    if (call === undefined) return undefined;
    this.#waitingBytes -= call.byteLength;
    this.#running += 1;
    if (call.urgency === "background") this.#backgroundRunning += 1;
    return call;
  }

  #next(): Call | undefined {
    const mayBegin = this.#background.length > 0 && this.#backgroundRunning === 0;
    const isItsTurn = this.#passedOver >= repliesBeforeBackgroundMax || this.#replies.length === 0;
    if (mayBegin && isItsTurn) {
      this.#passedOver = 0;
      return this.#background.shift();
    }
    if (mayBegin) this.#passedOver += 1;
    return this.#replies.shift();
  }

  ended(call: Call): void {
    this.#running -= 1;
    if (call.urgency === "background") this.#backgroundRunning -= 1;
  }

  /** All that wait, which then wait no more. */
  takeAll(): readonly Call[] {
    this.#waitingBytes = 0;
    return [...this.#replies.splice(0), ...this.#background.splice(0)];
  }

  #lineOf({ urgency }: Call): Call[] {
    return urgency === "reply" ? this.#replies : this.#background;
  }
}
