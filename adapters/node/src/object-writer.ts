import type { Worker } from "node:worker_threads";
import { assert, isShared } from "@millrace/core";
import { copyShared } from "./copy-shared.ts";
import {
  writerHeapMebibytesMax,
  writerIdleMsMax,
  writerPieceBytes,
  writerPieces,
} from "./limits.ts";
import type { PieceAnswer, WriterStart, WrittenPiece } from "./object-writer-thread.ts";
import { startWorker, type ThreadEntry } from "./worker-pool-thread.ts";

interface WrittenFile {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Writes new files on a thread of its own, in a few large pieces: to wake a thread takes as long as to
 * copy a megabyte, and on libuv's threads each of a file's system calls wakes one. What lies in shared
 * memory is written from where it lies, all else copied. Files are written side by side, a piece of
 * each in turn.
 *
 * The thread is started by the first file, and ends after some idle seconds. It keeps the process
 * alive while there is something to write.
 */
export class ObjectWriter {
  readonly #entry: () => ThreadEntry;
  readonly #idleMsMax: number;
  readonly #files = new Map<number, WrittenFile>();
  #made = 0;
  #thread: WriterThread | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor(entry: () => ThreadEntry, limits: { readonly idleMsMax?: number } = {}) {
    this.#entry = entry;
    this.#idleMsMax = limits.idleMsMax ?? writerIdleMsMax;
  }

  /** Whether the thread runs. */
  get hasThread(): boolean {
    return this.#thread?.isAlive === true;
  }

  /**
   * Writes the parts, one after another, into a new file. Resolves when they are durable; its name
   * is not. Rejects with an error that has the code of the system call that failed.
   */
  async write(path: string, parts: readonly Uint8Array[]): Promise<void> {
    clearTimeout(this.#idle);
    const thread = this.#running();
    thread.work();
    const file = this.#made;
    this.#made += 1;
    const written = new Promise<void>((resolve, reject) => {
      this.#files.set(file, { resolve, reject });
    });
    try {
      await Promise.all([written, this.#send(thread, { file, path, parts })]);
    } finally {
      this.#files.delete(file);
      if (this.#files.size === 0) this.#rest();
    }
  }

  /** Files that are being written are not finished. */
  async close(): Promise<void> {
    clearTimeout(this.#idle);
    await this.#thread?.end();
  }

  async #send(
    thread: WriterThread,
    { file, path, parts }: { file: number; path: string; parts: readonly Uint8Array[] },
  ): Promise<void> {
    const bytesInAll = parts.reduce((sum, { length }) => sum + length, 0);
    const source = new PartsReader(parts);
    for (let position = 0; ; ) {
      const ticket = await thread.ticket();
      // It failed, or the thread did: whoever waits knows.
      if (!this.#files.has(file) || !thread.isAlive) return thread.giveBack(ticket);
      const bytes = Math.min(writerPieceBytes, bytesInAll - position);
      const spans = source.take(bytes, thread.memoryOf(ticket));
      const isLast = position + bytes === bytesInAll;
      thread.send({ file, path, spans, bytes, ticket, position, isLast });
      position += bytes;
      if (isLast) return;
    }
  }

  #running(): WriterThread {
    if (this.#thread?.isAlive === true) return this.#thread;
    this.#thread = new WriterThread(this.#entry(), {
      onAnswer: (answer) => this.#answered(answer),
      onDeath: (error) => {
        for (const { reject } of this.#files.values()) reject(error);
      },
    });
    return this.#thread;
  }

  #answered({ failure, file, isLast }: PieceAnswer): void {
    const waiting = this.#files.get(file);
    if (waiting === undefined) return;
    if (failure !== undefined) {
      this.#files.delete(file);
      waiting.reject(Object.assign(new Error(failure.message), { code: failure.code }));
    } else if (isLast) waiting.resolve();
  }

  #rest(): void {
    const thread = this.#thread;
    this.#idle = setTimeout(() => void thread?.end(), this.#idleMsMax);
    this.#idle.unref();
    thread?.rest();
  }
}

/** The thread, and a ticket for each piece that may be on its way there. Once dead it stays so. */
class WriterThread {
  readonly #worker: Worker;
  readonly #onDeath: (error: Error) => void;
  readonly #free: number[] = Array.from({ length: writerPieces }, (_, ticket) => ticket);
  /** By ticket: a piece's memory, for what is not shared already. */
  readonly #memory: Buffer[] = [];
  readonly #waiting: ((ticket: number) => void)[] = [];
  #isAlive = true;

  constructor(
    entry: ThreadEntry,
    on: {
      readonly onAnswer: (answer: PieceAnswer) => void;
      readonly onDeath: (error: Error) => void;
    },
  ) {
    this.#onDeath = on.onDeath;
    const start: WriterStart = { role: "writes objects" };
    this.#worker = startWorker(entry, { heapMebibytesMax: writerHeapMebibytesMax, start });
    this.#worker.on("message", (answer: PieceAnswer) => {
      this.giveBack(answer.ticket);
      on.onAnswer(answer);
    });
    this.#worker.on("error", (error) => this.#died(error));
    this.#worker.on("exit", () => this.#died());
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** A ticket for whoever asked first; of a dead thread, one of no use. */
  ticket(): Promise<number> {
    const free = this.#isAlive ? this.#free.pop() : none;
    if (free !== undefined) return Promise.resolve(free);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  giveBack(ticket: number): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(ticket);
    else next(ticket);
  }

  memoryOf(ticket: number): Buffer {
    this.#memory[ticket] ??= Buffer.from(new SharedArrayBuffer(writerPieceBytes));
    return this.#memory[ticket];
  }

  send(piece: WrittenPiece): void {
    this.#worker.postMessage(piece, []);
  }

  /** From now on it keeps the process alive. */
  work(): void {
    this.#worker.ref();
  }

  rest(): void {
    this.#worker.unref();
  }

  async end(): Promise<void> {
    // At once: whoever comes before it is gone gets another.
    this.#died();
    await this.#worker.terminate();
  }

  #died(cause?: unknown): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    for (const wake of this.#waiting.splice(0)) wake(none);
    const details = { cause };
    // It is the thread that failed, and the next one may write the same.
    this.#onDeath(
      Object.assign(new Error("the thread that writes objects died", details), { code: "EIO" }),
    );
  }
}

/** The bytes of several parts, from the first to the last. */
class PartsReader {
  readonly #parts: readonly Uint8Array[];
  #part = 0;
  #at = 0;

  constructor(parts: readonly Uint8Array[]) {
    this.#parts = parts;
  }

  /** The next bytes: where they lie if they are shared, else copied into `memory`, which has room. */
  take(bytes: number, memory: Buffer): readonly Uint8Array[] {
    const spans: Uint8Array[] = [];
    for (let done = 0; done < bytes; ) {
      const part = this.#parts[this.#part];
      assert(part !== undefined, "there are as many bytes as are asked for");
      const taken = part.subarray(this.#at, this.#at + bytes - done);
      if (!isShared(taken)) copyShared(taken, memory, done);
      spans.push(isShared(taken) ? taken : memory.subarray(done, done + taken.length));
      done += taken.length;
      this.#at += taken.length;
      if (this.#at < part.length) continue;
      this.#part += 1;
      this.#at = 0;
    }
    return spans;
  }
}

const none = -1;
