import type { Worker } from "node:worker_threads";
import {
  isShared,
  type PlainValue,
  type SideCall,
  type SideOutcome,
  SideWorkError,
} from "@millrace/core";
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
}

/** What it sends back. */
export type ThreadAnswer =
  | { readonly kind: "done"; readonly outcome: SideOutcome }
  | { readonly kind: "unknown" }
  | { readonly kind: "threw"; readonly said: string };

/** One thread, and the call that it works on. Once dead it stays so. */
export class WorkerThread {
  readonly #worker: Worker;
  readonly #onDeath: () => void;
  #death: SideWorkError | undefined;
  #answer: ((answer: ThreadAnswer | SideWorkError) => void) | undefined;

  constructor(entry: ThreadEntry, onDeath: () => void) {
    this.#onDeath = onDeath;
    this.#worker = startWorker(entry, { heapMebibytesMax: sideHeapMebibytesMax });
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
    const { bytesAre, task, told } = call;
    const bytes = bytesAre === "moved" ? call.bytes : await copiesOf(call.bytes);
    if (this.#death !== undefined) return this.#death;
    const sent: ThreadTask = { task, told, bytes };
    try {
      const moved = bytes.filter((each) => !isShared(each));
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
