import type { Disk } from "../ports/disk.ts";
import { DiskError } from "../ports/disk.ts";
import type { BatchFormat, Checksum, TimestampSearch } from "./batch-format.ts";

/** Where one partition's files lie, and how their bytes are to be understood. */
export interface LogFiles {
  readonly disk: Disk;
  /** Relative to the disk's root; it appears with the first append. */
  readonly directory: string;
  readonly format: BatchFormat;
  readonly crc32c: Checksum;
  readonly findTimestamp: TimestampSearch;
}

/** Bytes that were written, and trusted, are not what they were. */
export function damaged(path: string, position: number): DiskError {
  const cause = new Error(`no whole batch at byte ${position}`);
  return new DiskError("io", { path, applied: "no", cause });
}

/** A file of the log is not there. */
export function missing(path: string): DiskError {
  return new DiskError("io", { path, applied: "no", cause: new Error("the file is missing") });
}

/** Does what is tried again later, if need be: another failure, of the same disk, is the one to tell. */
export function ignoringDisk(run: () => void): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
  }
}
