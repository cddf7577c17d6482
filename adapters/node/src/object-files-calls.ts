import {
  type FileHandle,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  rmdir,
  unlink,
} from "node:fs/promises";
import { ObjectError } from "@millrace/core";

export type OpenedFile = Pick<
  FileHandle,
  "close" | "datasync" | "read" | "stat" | "sync" | "writev"
>;

export interface FolderEntry {
  readonly name: string;
  isFile(): boolean;
  isDirectory(): boolean;
}

/**
 * What the objects' files are made with: the calls of node:fs/promises, which run on libuv's
 * threads. A test puts calls in between that fail, or that know what a loss of power would take.
 */
export interface FileCalls {
  readonly open: (path: string, flags: string) => Promise<OpenedFile>;
  readonly link: (from: string, to: string) => Promise<void>;
  readonly unlink: (path: string) => Promise<void>;
  /** With its parents; no effect when it is there. */
  readonly mkdir: (path: string) => Promise<void>;
  readonly rmdir: (path: string) => Promise<void>;
  readonly readdir: (path: string) => Promise<readonly FolderEntry[]>;
  readonly lstat: (path: string) => Promise<{ readonly size: number; isDirectory(): boolean }>;
}

export const fileCalls: FileCalls = {
  // Each looked up at its call: a start that has no such store does not load them.
  open: (path, flags) => open(path, flags, 0o644),
  link: (from, to) => link(from, to),
  unlink: (path) => unlink(path),
  mkdir: async (path) => void (await mkdir(path, { recursive: true })),
  rmdir: (path) => rmdir(path),
  readdir: (path) => readdir(path, { withFileTypes: true }),
  lstat: (path) => lstat(path),
};

/** These may pass: space is freed, descriptors are closed, a network file system answers again. */
const passingCodes = new Set([
  "ENOSPC",
  "EDQUOT",
  "EIO",
  "EMFILE",
  "ENFILE",
  "ENOMEM",
  "EAGAIN",
  "EBUSY",
  "EINTR",
  "ETIMEDOUT",
  "ESTALE",
  // A folder was removed under a put, again and again.
  "ENOENT",
]);

export function fileError(what: string, cause: unknown, applied: "no" | "maybe"): ObjectError {
  if (cause instanceof ObjectError) return cause;
  const code = codeOf(cause);
  // No code: no system call failed, so it is a bug.
  if (code === "") throw cause;
  return new ObjectError(`${what}: ${code}`, { retriable: passingCodes.has(code), applied, cause });
}

export function codeOf(error: unknown): string {
  if (!(error instanceof Error) || !("code" in error)) return "";
  return typeof error.code === "string" ? error.code : "";
}
