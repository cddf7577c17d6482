import {
  closeSync,
  constants,
  fdatasync,
  fdatasyncSync,
  ftruncateSync,
  openSync,
  writeSync,
} from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "@millrace/core";
import { copyShared } from "./copy-shared.ts";
import {
  objectSyncBytes,
  objectWriteBytes,
  writerPieceBytes,
  writtenBlockBytes,
} from "./limits.ts";
import { codeOf } from "./object-files-calls.ts";

/** What a thread that writes objects is started with. */
export interface WriterStart {
  readonly role: "writes objects";
}

/** A piece of a new file, in the order of the file's pieces; other files' may come between them. */
export interface WrittenPiece {
  readonly file: number;
  readonly path: string;
  /** What it is made of, one after another, in memory that is shared until the answer. */
  readonly spans: readonly Uint8Array[];
  /** In all of them. */
  readonly bytes: number;
  /** Told again with the answer. */
  readonly ticket: number;
  /** In the file. */
  readonly position: number;
  /** All but the last are whole blocks. */
  readonly isLast: boolean;
}

/** To each piece, once it is written; to the last one once the file is durable and closed. */
export interface PieceAnswer {
  readonly file: number;
  readonly ticket: number;
  readonly isLast: boolean;
  /** The system call failed: no more of this file is written. */
  readonly failure?: { readonly code: string; readonly message: string };
}

interface NewFile {
  descriptor: number;
  isDirect: boolean;
  /** It was begun in whole blocks, and may be longer than it is to be. */
  readonly isPadded: boolean;
  unsyncedBytes: number;
}

/**
 * Writes new files, past the page cache where the file system can (O_DIRECT): they are not read soon,
 * and to fill the cache with them costs more than to write them. Elsewhere through it, in pieces as
 * `writeObject` has them.
 */
class PieceWriter {
  readonly #staged: Buffer;
  readonly #files = new Map<number, NewFile>();
  /** False once the file system refused. */
  #isDirect = true;

  constructor(staged: Uint8Array) {
    this.#staged = Buffer.from(staged.buffer, staged.byteOffset, staged.byteLength);
  }

  /** Answers when the piece is written, or need not be. */
  write(piece: WrittenPiece, answer: (answer: PieceAnswer) => void): void {
    const { file, isLast, position, ticket } = piece;
    const done = { file, isLast, ticket };
    // It failed before: of what is on its way of it, nothing is written.
    if (position > 0 && !this.#files.has(file)) {
      answer(done);
      return;
    }
    const fail = (error: unknown): void => {
      this.#giveUp(piece);
      const message = error instanceof Error ? error.message : String(error);
      answer({ ...done, failure: { code: codeOf(error), message } });
    };
    try {
      const opened = this.#files.get(file) ?? this.#open(piece);
      this.#append(opened, piece);
      if (!isLast) {
        answer(done);
        return;
      }
      if (opened.isPadded) ftruncateSync(opened.descriptor, piece.position + piece.bytes);
      // Not in one go with the rest: other files' pieces are written meanwhile.
      fdatasync(opened.descriptor, (error) => {
        if (error !== null) return fail(error);
        this.#files.delete(file);
        try {
          closeSync(opened.descriptor);
        } catch (closeError) {
          return fail(closeError);
        }
        answer(done);
      });
    } catch (error) {
      fail(error);
    }
  }

  #open({ file, path }: WrittenPiece): NewFile {
    const opened = this.#isDirect ? openDirectly(path) : undefined;
    // The open that was refused may have made the file.
    const descriptor = opened ?? openSync(path, this.#isDirect ? "w" : "wx", mode);
    const isDirect = opened !== undefined;
    this.#isDirect = isDirect;
    const found = { descriptor, isDirect, isPadded: isDirect, unsyncedBytes: 0 };
    this.#files.set(file, found);
    return found;
  }

  #append(file: NewFile, { bytes, path, position, spans }: WrittenPiece): void {
    this.#stage(spans);
    if (file.isDirect) {
      const padded = Math.ceil(bytes / writtenBlockBytes) * writtenBlockBytes;
      this.#staged.fill(0, bytes, padded);
      if (this.#appendDirectly(file, { bytes: padded, position })) return;
      reopen(file, path);
    }
    for (let done = 0; done < bytes; ) {
      const length = Math.min(objectWriteBytes, bytes - done);
      done += writeSync(file.descriptor, this.#staged, done, length, position + done);
    }
    file.unsyncedBytes += bytes;
    if (file.unsyncedBytes < objectSyncBytes) return;
    // In one go at the end it would keep everybody else's syncs waiting.
    fdatasyncSync(file.descriptor);
    file.unsyncedBytes = 0;
  }

  #stage(spans: readonly Uint8Array[]): void {
    let at = 0;
    for (const span of spans) {
      copyShared(span, this.#staged, at);
      at += span.length;
    }
  }

  /** False: the file system can't, as where its blocks are larger than ours. */
  #appendDirectly(
    { descriptor }: NewFile,
    { bytes, position }: { readonly bytes: number; readonly position: number },
  ): boolean {
    try {
      for (let done = 0; done < bytes; ) {
        done += writeSync(descriptor, this.#staged, done, bytes - done, position + done);
      }
      return true;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return false;
    }
  }

  #giveUp({ file }: WrittenPiece): void {
    const opened = this.#files.get(file);
    if (opened === undefined) return;
    this.#files.delete(file);
    try {
      closeSync(opened.descriptor);
    } catch {
      // What failed before is what is told.
    }
  }
}

const mode = 0o644;

/** Undefined: the file system, or the platform, has no such thing. */
function openDirectly(path: string): number | undefined {
  // Not in every platform's constants, whatever their type says.
  const direct: number | undefined = constants.O_DIRECT;
  if (direct === undefined) return undefined;
  try {
    return openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | direct, mode);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return undefined;
  }
}

/** What file systems say that write through the page cache only, or not what lies as ours does. */
function isRefusal(error: unknown): boolean {
  return refusals.has(codeOf(error));
}

const refusals = new Set(["EINVAL", "ENOTSUP", "EOPNOTSUPP"]);

function reopen(file: NewFile, path: string): void {
  const former = file.descriptor;
  file.descriptor = openSync(path, constants.O_WRONLY);
  file.isDirect = false;
  closeSync(former);
}

/** Whether this thread was started to write objects. */
export function writesObjects(): boolean {
  const start = workerData as Partial<WriterStart> | null;
  return start?.role === "writes objects";
}

/**
 * What the file that a store's thread runs has to call, once. `staged`: memory of `writerPieceBytes` for
 * writes past the page cache, which ask for its beginning to be a block's.
 */
export function serveObjectWrites(staged: Uint8Array = pagesOf(writerPieceBytes)): void {
  const port = parentPort;
  assert(port !== null, "objects are written in a thread");
  const writer = new PieceWriter(staged);
  port.on("message", (piece: WrittenPiece) => {
    writer.write(piece, (answer) => port.postMessage(answer));
  });
}

/** Memory of WebAssembly begins at a page. */
function pagesOf(bytes: number): Uint8Array {
  const pages = Math.ceil(bytes / wasmPageBytes);
  const { Memory } = (globalThis as unknown as WithWasm).WebAssembly;
  return new Uint8Array(new Memory({ initial: pages, maximum: pages }).buffer, 0, bytes);
}

const wasmPageBytes = 65_536;

/** Types of WebAssembly come with a browser's, which Node's do not have. */
interface WithWasm {
  readonly WebAssembly: {
    readonly Memory: new (size: {
      readonly initial: number;
      readonly maximum: number;
    }) => { readonly buffer: ArrayBuffer };
  };
}
