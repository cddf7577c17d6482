import { createHash } from "node:crypto";
import { mkdirSync, statSync, unlinkSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type DirectoryLock =
  | { readonly kind: "locked"; release(): Promise<void> }
  /** Another process of this machine holds it. */
  | { readonly kind: "held" };

/**
 * An exclusive lock on a directory, which is made when absent: one process at a time, as long as it
 * lives. It is a listening socket named after the directory's device and inode, so that two
 * names of one directory are one lock. On Linux the name is abstract: the kernel gives it back when
 * the process dies, however it dies. Elsewhere it is a file, taken over when nobody listens on it.
 *
 * Not promised: anything between machines, or between network namespaces of one machine.
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  mkdirSync(directory, { recursive: true });
  const { dev, ino } = statSync(directory, { bigint: true });
  const name = createHash("sha256").update(`${dev}:${ino}`).digest("hex").slice(0, 32);
  if (process.platform === "linux") return listenOn(`\0millrace-${name}`);
  const path = join(tmpdir(), `millrace-${name}.lock`);
  const first = await listenOn(path);
  if (first.kind === "locked" || (await isAnswered(path))) return first;
  unlinkSync(path);
  return listenOn(path);
}

function listenOn(path: string): Promise<DirectoryLock> {
  return new Promise((resolve, reject) => {
    // Nobody has anything to say here: who connects only wants to know that it is held.
    const server = createServer((socket) => socket.destroy());
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve({ kind: "held" });
      else reject(error);
    });
    server.listen({ path, exclusive: true }, () => {
      server.unref();
      resolve({ kind: "locked", release: () => closed(server) });
    });
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
