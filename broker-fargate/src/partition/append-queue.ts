import type { Clock, Timer } from "@millrace/core";
import type { AppendRequest, AppendResult } from "./append.ts";
import { refused } from "./append.ts";
import type { PartitionLimits } from "./limits.ts";

interface Waiting {
  readonly request: AppendRequest;
  readonly dueMs: number;
  readonly answer: (result: AppendResult | Promise<AppendResult>) => void;
}

/**
 * Appends of one partition that cannot be decided yet: its dirty mark is being written, its
 * durability changes, or the journal is full. First in, first out, so that a producer's batches
 * keep their order; bounded in bytes and in time.
 */
export class AppendQueue {
  readonly #clock: Clock;
  readonly #limits: PartitionLimits;
  readonly #lateReason: () => "journalFull" | "timedOut";
  #waiting: Waiting[] = [];
  #bytes = 0;
  #timer: Timer | undefined;

  constructor(deps: {
    readonly clock: Clock;
    readonly limits: PartitionLimits;
    /** What an append that waited too long is told. */
    readonly lateReason: () => "journalFull" | "timedOut";
  }) {
    this.#clock = deps.clock;
    this.#limits = deps.limits;
    this.#lateReason = deps.lateReason;
  }

  get length(): number {
    return this.#waiting.length;
  }

  add(request: AppendRequest): Promise<AppendResult> {
    const bytes = request.records.length;
    if (this.#bytes > 0 && this.#bytes + bytes > this.#limits.appendWaitBytesMax) {
      return Promise.resolve(refused(this.#lateReason(), "too many appends wait already"));
    }
    const dueMs = this.#clock.monotonicMs() + this.#limits.appendWaitMsMax;
    return new Promise((answer) => {
      this.#waiting.push({ request, dueMs, answer });
      this.#bytes += bytes;
      this.#arm();
    });
  }

  /** Decides what waits, in order, as long as `isReady` says so. */
  drain(
    isReady: (bytes: number) => boolean,
    decide: (request: AppendRequest) => Promise<AppendResult>,
  ): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (!isReady(first.request.records.length)) break;
      this.#shift();
      first.answer(decide(first.request));
    }
    this.#arm();
  }

  refuseAll(result: AppendResult): void {
    const all = this.#waiting;
    this.#waiting = [];
    this.#bytes = 0;
    this.#arm();
    for (const { answer } of all) answer(result);
  }

  #shift(): Waiting | undefined {
    const first = this.#waiting.shift();
    this.#bytes -= first?.request.records.length ?? 0;
    return first;
  }

  /** One timer, for the append that came first; none while nothing waits. */
  #arm(): void {
    const first = this.#waiting[0];
    if (first === undefined) {
      this.#timer?.cancel();
      this.#timer = undefined;
    } else {
      const leftMs = Math.max(0, first.dueMs - this.#clock.monotonicMs());
      this.#timer ??= this.#clock.after(leftMs, () => this.#refuseLate());
    }
  }

  /**
   * All of them: were those behind the first taken a moment later, its retry would come after them.
   */
  #refuseLate(): void {
    this.#timer = undefined;
    const first = this.#waiting[0];
    if (first !== undefined && first.dueMs <= this.#clock.monotonicMs()) {
      this.refuseAll(refused(this.#lateReason(), "the append waited too long"));
    } else {
      this.#arm();
    }
  }
}
