/**
 * A folder of files. Paths are relative, with `/` between names.
 *
 * Writes and reads are synchronous because they meet the operating system's page cache: a decision
 * and its write happen in one turn of the event loop, so that nothing comes between them. `sync`
 * is not.
 *
 * Not promised: that what was written survives a loss of power before `sync` resolved, in whole or
 * in part, in order or not; that a new file's name survives before `syncDirectory` resolved.
 * Promised: what was written survives the death of this process.
 */
export interface Disk {
  /** Opens a file for reading and writing. With `create: "ifAbsent"` an absent one is made empty. */
  open(path: string, options: { readonly create: "never" | "ifAbsent" }): DiskFile | undefined;
  /** Names in the folder, sorted; none when it does not exist. */
  list(directory: string): readonly string[];
  /** Makes the folder and its parents; no effect when it exists. */
  makeDirectory(directory: string): void;
  /** Removes a file, or a folder with all in it; no effect when absent. */
  remove(path: string): void;
  /**
   * Removes a folder with all in it, bit by bit, while other work goes on: what takes long for large
   * files holds nobody up. Resolves when it is gone; no effect when absent. After a failure, or the
   * death of the process, some of it is left.
   */
  removeFolder(directory: string): Promise<void>;
  /** Replaces `to` in one step. */
  rename(from: string, to: string): void;
  /** Resolves when the names in the folder are durable. */
  syncDirectory(directory: string): Promise<void>;
}

export interface DiskFile {
  /** Bytes. */
  size(): number;
  /** Wall time of the last write or change of size, ms. Nothing but an age should hang on it. */
  modifiedMs(): number;
  /** Writes the parts one after another from `position` on, whole or with a thrown DiskError. */
  write(position: number, parts: readonly Uint8Array[]): void;
  /** Fills `into` from `position` on; returns the bytes read, fewer only at the end of the file. */
  read(position: number, into: Uint8Array): number;
  /** Cuts or (with zero bytes, reserved on the disk where it can) extends the file. */
  resize(size: number): void;
  /** Resolves when all that was written before the call is durable (fdatasync). */
  sync(): Promise<void>;
  /** Every other call after it throws. */
  close(): void;
}

/** An operational failure of the disk. `full` clears by itself when space is freed. */
export class DiskError extends Error {
  override readonly name = "DiskError";
  readonly reason: "full" | "io";
  readonly path: string;
  readonly retriable: boolean;
  /** Whether the failed call may have had its effect, in whole or in part. */
  readonly applied: "no" | "maybe";

  constructor(
    reason: "full" | "io",
    details: { readonly path: string; readonly applied: "no" | "maybe"; readonly cause?: unknown },
  ) {
    super(`disk ${reason === "full" ? "is full" : "failed"}: ${details.path}`, {
      cause: details.cause,
    });
    this.reason = reason;
    this.path = details.path;
    this.retriable = reason === "full";
    this.applied = details.applied;
  }
}
