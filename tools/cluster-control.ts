/**
 * How one terminal asks something of the cluster that runs in another: a Unix socket in its data
 * directory, a line of JSON there and one back. It is also what keeps two from running at once.
 */
import { rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { isListening } from "@millrace/adapter-node/process-driver";
import { type Asked, ClusterUsageError } from "./cluster-options.ts";

export interface Told {
  readonly ok: boolean;
  readonly said: string;
}

/** Throws ClusterUsageError where a cluster runs there already. */
export async function listenForAsks(
  socketPath: string,
  answer: (asked: Asked) => Promise<Told>,
): Promise<Server> {
  if (await isListening({ path: socketPath })) {
    throw new ClusterUsageError("a cluster runs in this data directory already");
  }
  // Left by one that was killed.
  rmSync(socketPath, { force: true });
  const server = createServer((socket) => serve(socket, answer));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(socketPath, resolve);
  });
  return server;
}

function serve(socket: Socket, answer: (asked: Asked) => Promise<Told>): void {
  // Whoever asked has gone: nobody waits for the answer.
  socket.on("error", () => socket.destroy());
  createInterface({ input: socket }).once("line", (line) => {
    void answer(JSON.parse(line) as Asked)
      .catch((error: unknown): Told => ({ ok: false, said: String(error) }))
      .then((told) => socket.end(`${JSON.stringify(told)}\n`));
  });
}

/** Throws ClusterUsageError where no cluster runs. */
export function ask(socketPath: string, asked: Asked): Promise<Told> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath, () => socket.write(`${JSON.stringify(asked)}\n`));
    socket.on("error", (cause) => {
      reject(new ClusterUsageError(`no cluster runs there (${socketPath})`, { cause }));
    });
    const lines = createInterface({ input: socket });
    lines.on("error", () => undefined);
    lines.once("line", (line) => resolve(JSON.parse(line) as Told));
    socket.on("close", () => resolve({ ok: false, said: "the cluster ended meanwhile" }));
  });
}
