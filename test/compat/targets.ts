/**
 * The two brokers that a program runs against: Apache Kafka 4.3.1, the reference, and Millrace, the
 * subject. Both are processes of this lane, each on free loopback ports and with a data directory
 * of its own.
 */
import { mkdir } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { CLEANER_BACKOFF_MS, startKafka } from "./peer.ts";
import { type Server, startServer } from "./processes.ts";
import { waitUntilReady } from "./raw-client.ts";

export type TargetKind = "kafka" | "millrace";

export interface Target {
  readonly kind: TargetKind;
  readonly port: number;
  readonly server: Server;
}

export interface TargetPaths {
  readonly repository: string;
  readonly cache: string;
  /** A directory that the lane removes when it is done. */
  readonly scratch: string;
}

const MILLRACE_READY_MS_MAX = 20_000;
/** Hot segments that the object store has are to go soon after they may. */
const RETENTION_CHECK_MS = 500;
const START_ATTEMPTS_MAX = 3;

/**
 * A port that was free a moment ago; who loses it to somebody else is started again with another
 * one.
 */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        if (address === null || typeof address === "string") reject(new Error("no TCP address"));
        else resolve(address.port);
      });
    });
  });
}

async function startMillrace(paths: TargetPaths, scratch: string): Promise<Target> {
  const port = await freePort();
  const server = startServer(
    {
      file: process.execPath,
      args: [
        join(paths.repository, "tools/start.mjs"),
        ...["--data", join(scratch, "data"), "--port", String(port), "--http-port", "0"],
        ...["--set", "group.initial.rebalance.delay.ms=0"],
        ...["--set", `log.cleaner.backoff.ms=${CLEANER_BACKOFF_MS}`],
        ...["--set", `log.retention.check.interval.ms=${RETENTION_CHECK_MS}`],
        ...["--set", `millrace.object.store=file:${join(scratch, "objects")}`],
        // As on Kafka: only topics that say so are tiered.
        ...["--set", "remote.log.storage.system.enable=false"],
      ],
      cwd: paths.repository,
    },
    join(scratch, "server.log"),
  );
  return { kind: "millrace", port, server };
}

/**
 * Starts a broker and waits until it answers; throws with the end of its log when it does not come
 * up.
 */
export async function startTarget(
  kind: TargetKind,
  paths: TargetPaths,
  name: string,
): Promise<Target> {
  let lastError: unknown;
  for (let attempt = 1; attempt <= START_ATTEMPTS_MAX; attempt += 1) {
    const scratch = join(paths.scratch, `${name}-${attempt}`);
    await mkdir(scratch, { recursive: true });
    const target: Target =
      kind === "millrace"
        ? await startMillrace(paths, scratch)
        : await startKafka({
            cache: paths.cache,
            scratch,
            ports: [await freePort(), await freePort()],
          });
    try {
      const timeoutMs = kind === "millrace" ? MILLRACE_READY_MS_MAX : 60_000;
      await waitUntilReady(target.port, { timeoutMs, ended: target.server.ended });
      return target;
    } catch (error) {
      lastError = new Error(`${kind} did not start:\n${target.server.outputTail()}`, {
        cause: error,
      });
      await target.server.stop();
    }
  }
  throw lastError;
}
