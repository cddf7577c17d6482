import {
  assert,
  type Clock,
  type FilePart,
  isShared,
  type SideCall,
  type SideOutcome,
  SideQueue,
  type SideQueueLimits,
  type SideTasks,
  type SideUrgency,
  type SideWork,
  SideWorkError,
  type Timer,
} from "@millrace/core";

/** What becomes of a call: it takes some time, and its thread may die in it. */
export interface SideFate {
  readonly delayMs: number;
  readonly dies: "no" | "yes";
}

export interface MemorySideWorkDeps {
  readonly clock: Clock;
  readonly tasks: SideTasks;
  readonly limits?: SideQueueLimits;
  /** Drawn when a call begins; by default it ends in the next turn, and well. */
  readonly fate?: (call: SideCall) => SideFate;
}

const defaultLimits: SideQueueLimits = {
  threadsMax: 2,
  waitingCallsMax: 1000,
  waitingBytesMax: 64 * 1024 * 1024,
};

interface Pending {
  readonly call: SideCall;
  readonly urgency: SideUrgency;
  readonly byteLength: number;
  readonly resolve: (outcome: SideOutcome) => void;
  readonly reject: (error: SideWorkError) => void;
}

/**
 * Side work in the same thread, on the clock that is handed in: each call ends at a time that
 * `fate` sets, so that one seed is one run. What is moved is detached, as a thread would detach it.
 */
export class MemorySideWork implements SideWork {
  readonly #deps: MemorySideWorkDeps;
  readonly #queue: SideQueue<Pending>;
  readonly #running = new Map<Pending, Timer>();
  #isClosed = false;

  constructor(deps: MemorySideWorkDeps) {
    this.#deps = deps;
    this.#queue = new SideQueue(deps.limits ?? defaultLimits);
  }

  run(call: SideCall): Promise<SideOutcome> {
    if (this.#isClosed) return Promise.reject(closed());
    const bytes = call.bytesAre === "moved" ? call.bytes.map(moved) : call.bytes;
    const { part, urgency } = call;
    const byteLength = bytes.reduce(
      (sum, each) => sum + (isShared(each) ? 0 : each.length),
      part?.bytes ?? 0,
    );
    return new Promise((resolve, reject) => {
      const whole = { ...call, bytes };
      const kept =
        part === undefined ? whole : { ...whole, part: { ...part, into: moved(part.into) } };
      const pending = { ...{ call: kept, urgency, byteLength, resolve, reject } };
      if (this.#queue.add(pending) === "full") {
        reject(new SideWorkError("busy", "too much side work waits already"));
      } else {
        this.#beginNext();
      }
    });
  }

  close(): Promise<void> {
    this.#isClosed = true;
    const running = [...this.#running];
    this.#running.clear();
    for (const [, timer] of running) timer.cancel();
    const all = [...running.map(([pending]) => pending), ...this.#queue.takeAll()];
    for (const { reject } of all) reject(closed());
    return Promise.resolve();
  }

  #beginNext(): void {
    for (let next = this.#queue.begin(); next !== undefined; next = this.#queue.begin()) {
      const pending = next;
      const fate = this.#deps.fate?.(pending.call) ?? { delayMs: 0, dies: "no" };
      const timer = this.#deps.clock.after(fate.delayMs, () => this.#end(pending, fate));
      this.#running.set(pending, timer);
    }
  }

  #end(pending: Pending, { dies }: SideFate): void {
    this.#running.delete(pending);
    this.#queue.ended(pending);
    const { call, reject, resolve } = pending;
    const outcome =
      dies === "yes"
        ? new SideWorkError("died", `the thread died in ${call.task}`)
        : perform(call, this.#deps.tasks);
    if (outcome instanceof SideWorkError) reject(outcome);
    else resolve(outcome);
    this.#beginNext();
  }
}

function perform(
  { bytes, bytesAre, part, task, told }: SideCall,
  tasks: SideTasks,
): SideOutcome | SideWorkError {
  const work = Object.hasOwn(tasks, task) ? tasks[task] : undefined;
  if (work === undefined) return new SideWorkError("unknown", `there is no task ${task}`);
  const own = bytesAre === "moved" ? [...bytes] : bytes.map(copied);
  if (part !== undefined) {
    try {
      readPart(part);
    } catch (error) {
      return new SideWorkError("unread", `what ${task} is to work on cannot be read`, error);
    }
    own.push(part.into);
  }
  try {
    const { bytes: results, says } = work({ told: structuredClone(told), bytes: own });
    return { says: structuredClone(says), bytes: results.map((each) => new Uint8Array(each)) };
  } catch (error) {
    return new SideWorkError("threw", `${task} threw`, error);
  }
}

function readPart({ bytes, file, into, position }: FilePart): void {
  const read = file.read(position, into.subarray(0, bytes));
  if (read < bytes) throw new RangeError(`the file ends at ${position + read}`);
}

function copied(bytes: Uint8Array): Uint8Array {
  return isShared(bytes) ? bytes : new Uint8Array(bytes);
}

/** The same bytes in an ArrayBuffer of their own; who held the former one holds nothing. */
function moved(bytes: Uint8Array): Uint8Array {
  if (isShared(bytes)) return bytes;
  const { buffer, byteLength } = bytes;
  assert(
    buffer instanceof ArrayBuffer && buffer.byteLength === byteLength,
    "what is moved is the whole of its ArrayBuffer",
  );
  return new Uint8Array(buffer.transfer());
}

function closed(): SideWorkError {
  return new SideWorkError("closed", "side work is closed");
}
