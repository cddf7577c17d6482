import {
  assert,
  isShared,
  type SideCall,
  type SideOutcome,
  SideQueue,
  type SideQueueLimits,
  type SideUrgency,
  type SideWork,
  SideWorkError,
} from "@millrace/core";
import {
  sideIdleMsMax,
  sideTaskMsMax,
  sideThreadsMax,
  sideWaitingBytesMax,
  sideWaitingCallsMax,
} from "./limits.ts";
import { type ThreadEntry, WorkerThread } from "./worker-pool-thread.ts";

export interface WorkerPoolDeps {
  readonly entry: () => ThreadEntry;
  readonly limits?: WorkerPoolLimits;
  /** A thread was lost, and with it the call that it worked on. */
  readonly onDeath?: (error: SideWorkError) => void;
}

export interface WorkerPoolLimits extends SideQueueLimits {
  readonly taskMsMax: number;
  readonly idleMsMax: number;
}

export const workerPoolLimits: WorkerPoolLimits = {
  threadsMax: sideThreadsMax,
  waitingCallsMax: sideWaitingCallsMax,
  waitingBytesMax: sideWaitingBytesMax,
  taskMsMax: sideTaskMsMax,
  idleMsMax: sideIdleMsMax,
};

interface Pending {
  readonly call: SideCall;
  readonly urgency: SideUrgency;
  readonly byteLength: number;
  readonly resolve: (outcome: SideOutcome) => void;
  readonly reject: (error: SideWorkError) => void;
}

/**
 * Side work on threads of Node. A thread is started when a call finds none idle, and ended when it
 * had nothing to do for a while, or when its task takes too long; the next call then starts another
 * one. Background calls have a thread of their own, whose priority is lower. Threads and timers have
 * no reference: they never keep the process alive.
 */
export class WorkerPool implements SideWork {
  readonly #deps: WorkerPoolDeps;
  readonly #limits: WorkerPoolLimits;
  readonly #queue: SideQueue<Pending>;
  /** The one that worked last at the end, so that those that are not needed become old. */
  #idle: { readonly thread: WorkerThread; readonly sinceMs: number }[] = [];
  readonly #busy = new Map<Pending, WorkerThread>();
  #idleTimer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(deps: WorkerPoolDeps) {
    this.#deps = deps;
    this.#limits = deps.limits ?? workerPoolLimits;
    this.#queue = new SideQueue(this.#limits);
  }

  /** Threads that there are. */
  get threads(): number {
    return this.#idle.length + this.#busy.size;
  }

  run(call: SideCall): Promise<SideOutcome> {
    if (this.#isClosed) return Promise.reject(closed());
    const own = call.bytes.filter((each) => !isShared(each));
    if (call.bytesAre === "moved") own.forEach(assertMovable);
    if (call.part !== undefined && !isShared(call.part.into)) assertMovable(call.part.into);
    const byteLength = own.reduce((sum, { length }) => sum + length, call.part?.bytes ?? 0);
    const { urgency } = call;
    return new Promise((resolve, reject) => {
      const pending = { call, urgency, byteLength, resolve, reject };
      if (this.#queue.add(pending) === "full") {
        reject(new SideWorkError("busy", "too much side work waits already"));
      } else {
        this.#beginNext();
      }
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#idleTimer);
    const busy = [...this.#busy];
    for (const [{ reject }] of busy) reject(closed());
    for (const { reject } of this.#queue.takeAll()) reject(closed());
    const threads = [...busy.map(([, thread]) => thread), ...this.#idle.map((idle) => idle.thread)];
    this.#idle = [];
    await Promise.all(threads.map((thread) => thread.end("the pool is closed")));
  }

  #beginNext(): void {
    for (let next = this.#queue.begin(); next !== undefined; next = this.#queue.begin()) {
      const thread = this.#takeIdle(next.urgency) ?? this.#start(next.urgency);
      this.#busy.set(next, thread);
      void this.#perform(next, thread);
    }
  }

  #takeIdle(urgency: SideUrgency): WorkerThread | undefined {
    const isBackground = urgency === "background";
    const at = this.#idle.findLastIndex(({ thread }) => thread.isBackground === isBackground);
    return at < 0 ? undefined : this.#idle.splice(at, 1)[0]?.thread;
  }

  #start(urgency: SideUrgency): WorkerThread {
    const thread: WorkerThread = new WorkerThread(this.#deps.entry(), {
      isBackground: urgency === "background",
      onDeath: () => {
        this.#idle = this.#idle.filter((idle) => idle.thread !== thread);
      },
    });
    return thread;
  }

  async #perform(pending: Pending, thread: WorkerThread): Promise<void> {
    const { call, reject, resolve } = pending;
    const late = `${call.task} took longer than ${this.#limits.taskMsMax} ms`;
    const timer = setTimeout(() => void thread.end(late), this.#limits.taskMsMax).unref();
    const outcome = await thread.perform(call);
    clearTimeout(timer);
    this.#busy.delete(pending);
    this.#queue.ended(pending);
    if (outcome instanceof SideWorkError) reject(outcome);
    else resolve(outcome);
    // After a close this was said before.
    if (this.#isClosed) return;
    if (thread.isAlive) this.#rest(thread);
    else if (outcome instanceof SideWorkError) this.#deps.onDeath?.(outcome);
    this.#beginNext();
  }

  #rest(thread: WorkerThread): void {
    this.#idle.push({ thread, sinceMs: performance.now() });
    this.#idleTimer ??= setTimeout(() => this.#endIdle(), this.#limits.idleMsMax).unref();
  }

  #endIdle(): void {
    this.#idleTimer = undefined;
    const nowMs = performance.now();
    const isOld = ({ sinceMs }: { readonly sinceMs: number }): boolean =>
      nowMs - sinceMs >= this.#limits.idleMsMax;
    const old = this.#idle.filter(isOld);
    this.#idle = this.#idle.filter((idle) => !isOld(idle));
    for (const { thread } of old) void thread.end("it had nothing to do");
    const [next] = this.#idle;
    if (next === undefined) return;
    const leftMs = next.sinceMs + this.#limits.idleMsMax - nowMs;
    this.#idleTimer = setTimeout(() => this.#endIdle(), Math.ceil(leftMs)).unref();
  }
}

function assertMovable({ buffer, byteLength }: Uint8Array): void {
  assert(
    buffer instanceof ArrayBuffer && buffer.byteLength === byteLength,
    "what is moved is the whole of its ArrayBuffer",
  );
}

function closed(): SideWorkError {
  return new SideWorkError("closed", "side work is closed");
}
