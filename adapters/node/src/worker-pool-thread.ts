import type { Worker } from "node:worker_threads";
import {
  type FilePart,
  isShared,
  type PlainValue,
  type SideCall,
  type SideOutcome,
  SideWorkError,
} from "@millrace/core";
import { lendDescriptor, type LentDescriptor } from "./disk.ts";
import { sideCopyBytesPerTurnMax, sideHeapMebibytesMax } from "./limits.ts";

/**
 * What a thread runs: a file that calls `serveSideTasks`, or its text as one CommonJS module, which
 * is there for as long as the process is. `url`: where the text resolves packages from.
 */
export type ThreadEntry =
  | { readonly kind: "file"; readonly url: URL }
  | { readonly kind: "text"; readonly text: string; readonly url: string };

/** What a thread is sent: one task at a time. */
export interface ThreadTask {
  readonly task: string;
  readonly told: PlainValue;
  readonly bytes: readonly Uint8Array[];
  readonly part?: ThreadPart;
}

/** A part of a file that the thread reads, by a descriptor of this process. */
export interface ThreadPart {
  readonly descriptor: number;
  readonly position: number;
  readonly bytes: number;
  readonly into: Uint8Array;
}

/** What a thread of the pool is started with. */
export interface SideThreadStart {
  readonly role: "side work";
  /** It has processors only after everybody else. */
  readonly isBackground: boolean;
}

/** What it sends back. */
export type ThreadAnswer =
  | { readonly kind: "done"; readonly outcome: SideOutcome }
  | { readonly kind: "unknown" }
  | { readonly kind: "threw" | "unread"; readonly said: string };

export interface WorkerThreadTerms {
  readonly isBackground: boolean;
  readonly onDeath: () => void;
}

/** One thread, and the call that it works on. Once dead it stays so. */
export class WorkerThread {
  readonly isBackground: boolean;
  readonly #worker: Worker;
  readonly #onDeath: () => void;
  #death: SideWorkError | undefined;
  #answer: ((answer: ThreadAnswer | SideWorkError) => void) | undefined;

  constructor(entry: ThreadEntry, terms: WorkerThreadTerms) {
    this.isBackground = terms.isBackground;
    this.#onDeath = terms.onDeath;
    const start: SideThreadStart = { role: "side work", isBackground: terms.isBackground };
    this.#worker = startWorker(entry, { heapMebibytesMax: sideHeapMebibytesMax, start });
    this.#worker.on("message", (answer: ThreadAnswer) => this.#settle(answer));
    this.#worker.on("messageerror", (error) => void this.end("its answer is unreadable", error));
    this.#worker.on("error", (error) => this.#died("a thread failed", error));
    this.#worker.on("exit", () => this.#died("a thread ended"));
    // After the listeners: that for messages takes a reference.
    this.#worker.unref();
  }

  get isAlive(): boolean {
    return this.#death === undefined;
  }

  /** One call at a time. Never rejects. */
  async perform(call: SideCall): Promise<SideOutcome | SideWorkError> {
    if (call.part === undefined) return this.#give(call);
    const { file, ...part } = call.part;
    let lent: LentDescriptor | undefined;
    try {
      lent = lendDescriptor(file);
      if (lent === undefined) readHere(call.part);
    } catch (error) {
      return new SideWorkError("unread", `what ${call.task} is to work on cannot be read`, error);
    }
    if (lent === undefined) return this.#give(call, part.into);
    try {
      return await this.#give(call, { ...part, descriptor: lent.descriptor });
    } finally {
      lent.giveBack();
    }
  }

  /** `part`: what is to be read by the thread, or was read here. */
  async #give(
    { bytes, bytesAre, task, told }: SideCall,
    part?: ThreadPart | Uint8Array,
  ): Promise<SideOutcome | SideWorkError> {
    const own = bytesAre === "moved" ? bytes : await copiesOf(bytes);
    if (this.#death !== undefined) return this.#death;
    if (part === undefined) return this.#ask({ task, told, bytes: own });
    if (!("descriptor" in part)) return this.#ask({ task, told, bytes: [...own, part] });
    return this.#ask({ task, told, bytes: own, part });
  }

  /** Never rejects. */
  async #ask(sent: ThreadTask): Promise<SideOutcome | SideWorkError> {
    const { part, task } = sent;
    try {
      const moved = sent.bytes.filter((each) => !isShared(each));
      if (part !== undefined && !isShared(part.into)) moved.push(part.into);
      this.#worker.postMessage(
        sent,
        moved.map(({ buffer }) => buffer as ArrayBuffer),
      );
    } catch (error) {
      return new SideWorkError("threw", `${task} cannot be told what it is told`, error);
    }
    const answer = await new Promise<ThreadAnswer | SideWorkError>((resolve) => {
      this.#answer = resolve;
    });
    if (answer instanceof SideWorkError) return answer;
    switch (answer.kind) {
      case "done":
        return answer.outcome;
      case "unknown":
        return new SideWorkError("unknown", `there is no task ${task}`);
      case "threw":
        return new SideWorkError("threw", `${task} threw: ${answer.said}`);
      case "unread":
        return new SideWorkError("unread", `${task} has nothing to work on: ${answer.said}`);
    }
  }

  /** Resolves when the thread is gone; what it works on has died. */
  async end(why: string, cause?: unknown): Promise<void> {
    this.#died(why, cause);
    await this.#worker.terminate();
  }

  #died(why: string, cause?: unknown): void {
    if (this.#death !== undefined) return;
    this.#death = new SideWorkError("died", `side work died: ${why}`, cause);
    this.#onDeath();
    this.#settle(this.#death);
  }

  #settle(answer: ThreadAnswer | SideWorkError): void {
    const tell = this.#answer;
    this.#answer = undefined;
    tell?.(answer);
  }
}

/** For a file that has no descriptor. Throws what keeps it from being read. */
function readHere({ bytes, file, into, position }: FilePart): void {
  const read = file.read(position, into.subarray(0, bytes));
  if (read < bytes) throw new RangeError(`the file ends at ${position + read}`);
}

/** `start`: what the file is told, if it has several roles. */
export function startWorker(
  entry: ThreadEntry,
  terms: { readonly heapMebibytesMax: number; readonly start?: object },
): Worker {
  // Not imported: a process that never starts a thread has no use for the module.
  const { Worker } = process.getBuiltinModule("node:worker_threads");
  const resourceLimits = { maxOldGenerationSizeMb: terms.heapMebibytesMax };
  // As a text: a thread can't be sent a URL.
  const workerData = { url: String(entry.url), ...terms.start };
  if (entry.kind === "file") return new Worker(entry.url, { workerData, resourceLimits });
  return new Worker(entry.text, { eval: true, workerData, resourceLimits });
}

/** Copies, a part in each turn: fresh memory costs a page fault for every 4 KiB. */
async function copiesOf(originals: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
  const copies: Uint8Array[] = [];
  let leftInTurn = sideCopyBytesPerTurnMax;
  for (const original of originals) {
    if (isShared(original)) {
      copies.push(original);
      continue;
    }
    const copy = new Uint8Array(original.length);
    for (let at = 0; at < original.length; ) {
      if (leftInTurn === 0) {
        await new Promise((resolve) => setImmediate(resolve));
        leftInTurn = sideCopyBytesPerTurnMax;
      }
      const part = original.subarray(at, at + leftInTurn);
      copy.set(part, at);
      at += part.length;
      leftInTurn -= part.length;
    }
    copies.push(copy);
  }
  return copies;
}
