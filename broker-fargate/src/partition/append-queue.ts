import type { Clock, Timer } from "@millrace/core";
import type { AppendRequest, AppendResult } from "./append.ts";
import { refused } from "./append.ts";
import { Examination } from "./examinations.ts";
import type { PartitionLimits } from "./limits.ts";

export type Decide = (
  request: AppendRequest,
  /** Which has come to its end, where there was one. */
  examination: Examination | undefined,
) => Promise<AppendResult> | Examination;

interface Waiting {
  readonly request: AppendRequest;
  readonly dueMs: number;
  readonly answer: (result: AppendResult | Promise<AppendResult>) => void;
  /** Set where its records have to be looked at first. */
  readonly examination: Examination | undefined;
}

/**
 * Appends of one partition that cannot be decided yet: its dirty mark is being written, its
 * durability changes, the journal is full, or the first one's records are being examined. First in,
 * first out, so that a producer's batches keep their order; bounded in bytes and in time.
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

  /** `examination`: of an append that was the first one, and so could not be decided. */
  add(request: AppendRequest, examination?: Examination): Promise<AppendResult> {
    const bytes = request.records.length;
    if (this.#isStuck() && this.#bytes + bytes > this.#limits.appendWaitBytesMax) {
      return Promise.resolve(refused(this.#lateReason(), "too many appends wait already"));
    }
    const dueMs = this.#clock.monotonicMs() + this.#limits.appendWaitMsMax;
    return new Promise((answer) => {
      this.#waiting.push({ request, dueMs, answer, examination });
      this.#bytes += bytes;
      this.#arm();
    });
  }

  /**
   * Decides what waits, in order, as long as `isReady` says so and `decide` has no need to have an
   * append's records examined; then it goes on when that has come to its end.
   */
  drain(isReady: (bytes: number) => boolean, decide: Decide): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (isUnderWay(first) || !isReady(first.request.records.length)) break;
      // Not there any more while it is decided: what that causes may drain the queue again.
      this.#shift();
      const decided = decide(first.request, first.examination);
      first.examination?.release();
      if (decided instanceof Examination) {
        this.#putBack({ ...first, examination: decided });
        break;
      }
      first.answer(decided);
    }
    this.#arm();
  }

  refuseAll(result: AppendResult): void {
    const all = this.#waiting;
    this.#waiting = [];
    this.#bytes = 0;
    this.#arm();
    for (const { answer, examination } of all) {
      examination?.release();
      answer(result);
    }
  }

  /**
   * Behind an append that is being examined the others go on as fast as a core can look at them:
   * their bytes are bounded by the memory that requests have.
   */
  #isStuck(): boolean {
    const [first] = this.#waiting;
    return first !== undefined && !isUnderWay(first);
  }

  #shift(): void {
    const first = this.#waiting.shift();
    this.#bytes -= first?.request.records.length ?? 0;
  }

  #putBack(first: Waiting): void {
    this.#waiting.unshift(first);
    this.#bytes += first.request.records.length;
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

function isUnderWay({ examination }: Waiting): boolean {
  return examination !== undefined && examination.outcome === undefined;
}
