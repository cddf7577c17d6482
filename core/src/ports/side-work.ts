import type { DiskFile } from "./disk.ts";

/**
 * CPU-bound work beside the event loop: opening, checking and compressing batches, compaction.
 *
 * A task is a function of plain values and bytes, known by its name where the work is done; it has
 * no state, no clock and does no I/O: what it needs of a file is read for it. A bounded number of
 * tasks run at the same time, and a bounded number of calls and bytes wait. `reply` calls, for which
 * a client waits, go before `background` ones, but for one of these now and then, of which one runs
 * at a time: cut background work into calls of some tens of milliseconds. Where the platform can, it
 * has processors after everybody else.
 *
 * Not promised: that a task is fast or fair; that calls end in the order in which they came; that
 * the work of a call that was rejected was not done.
 * Promised: a call settles exactly once, never within `run`; one task's failure touches no other
 * call; who never calls pays neither threads nor memory; no call keeps a process alive.
 */
export interface SideWork {
  /** Rejects with SideWorkError, and with nothing else. Never throws for what a task does. */
  run(call: SideCall): Promise<SideOutcome>;
  /** Rejects what waits and what runs with `closed`; resolves when nothing runs any more. */
  close(): Promise<void>;
}

export interface SideCall {
  readonly task: string;
  readonly urgency: SideUrgency;
  /** What the task is told besides bytes. */
  readonly told: PlainValue;
  /**
   * `copied`: the caller keeps them, and changes nothing before the call settles. They are copied
   * when the work begins, and not while the call waits, so that waiting takes no memory.
   * `moved`: each is the whole of its ArrayBuffer and none shares it; the caller may not touch them
   * again, whatever becomes of the call. Nothing is copied.
   * What lies in a SharedArrayBuffer is neither copied nor moved, whatever this says: the task works
   * in it, and the caller leaves it alone until the call settles; for ever, where it was rejected,
   * because a thread that is being ended may write on for a while.
   */
  readonly bytes: readonly Uint8Array[];
  readonly bytesAre: "copied" | "moved";
  /** Read when the work begins, where it is done. The task gets its memory behind `bytes`. */
  readonly part?: FilePart;
}

/** A part of a file, and memory that it is read into. */
export interface FilePart {
  /** Open as long as the call has not settled; closed before, it can't be read. */
  readonly file: DiskFile;
  readonly position: number;
  /** All of them are read. */
  readonly bytes: number;
  /** Has room for them, and gets them at its beginning. Moved unless shared, as `bytesAre` says it. */
  readonly into: Uint8Array;
}

export type SideUrgency = "reply" | "background";

export interface SideOutcome {
  readonly says: PlainValue;
  /** The caller's own. */
  readonly bytes: readonly Uint8Array[];
}

/** What a task is told and says: what survives a structured clone and reads the same after it. */
export type PlainValue =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly PlainValue[]
  | { readonly [name: string]: PlainValue };

/**
 * One task. The bytes are its own: it may change them, and give them back among its outcome's, but
 * for shared ones, which the caller has anyway. An outcome's bytes that are the whole of their
 * ArrayBuffer are handed over without a copy. What a task throws rejects its call with `threw`.
 */
export type SideTask = (asked: {
  readonly told: PlainValue;
  readonly bytes: readonly Uint8Array[];
}) => SideOutcome;

/** Whether the bytes are worked on where they lie. */
export function isShared({ buffer }: Uint8Array): boolean {
  return buffer instanceof SharedArrayBuffer;
}

/** By the name that a call asks for. */
export type SideTasks = Readonly<Record<string, SideTask>>;

/**
 * `busy`: too much waits already; nothing was done. `threw`: the task threw, and will again.
 * `unread`: the file can't be read, or ends before its part does.
 * `unknown`: there is no task of that name. `died`: the thread could not be started, ended, ran out
 * of memory or took too long; this very task may be the reason. `closed`.
 */
export type SideWorkFailure = "busy" | "threw" | "unread" | "unknown" | "died" | "closed";

/** An operational failure. A task has no effects, so nothing was ever applied. */
export class SideWorkError extends Error {
  override readonly name = "SideWorkError";
  readonly reason: SideWorkFailure;
  /** Whether the same call may succeed later. */
  readonly retriable: boolean;

  constructor(reason: SideWorkFailure, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.reason = reason;
    this.retriable = reason === "busy" || reason === "died";
  }
}
