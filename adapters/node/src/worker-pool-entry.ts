import { readSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { assert, type SideOutcome, type SideTasks } from "@millrace/core";
import { yieldToOthers } from "./thread-priority.ts";
import type {
  SideThreadStart,
  ThreadAnswer,
  ThreadPart,
  ThreadTask,
} from "./worker-pool-thread.ts";

/** What the file that a thread of `WorkerPool` runs has to call, once: serves these tasks. */
export function serveSideTasks(tasks: SideTasks): void {
  const port = parentPort;
  assert(port !== null, "side tasks are served in a thread");
  const start = workerData as SideThreadStart;
  if (start.isBackground) yieldToOthers();
  port.on("message", (asked: ThreadTask) => {
    const answer = answerTo(asked, tasks);
    const bytes = answer.kind === "done" ? answer.outcome.bytes : [];
    port.postMessage(
      answer,
      bytes.map(({ buffer }) => buffer as ArrayBuffer),
    );
  });
}

function answerTo({ bytes, part, task, told }: ThreadTask, tasks: SideTasks): ThreadAnswer {
  const work = Object.hasOwn(tasks, task) ? tasks[task] : undefined;
  if (work === undefined) return { kind: "unknown" };
  try {
    if (part !== undefined) readPart(part);
  } catch (error) {
    return { kind: "unread", said: String(error) };
  }
  try {
    const given = part === undefined ? bytes : [...bytes, part.into];
    const { says, bytes: results } = work({ told, bytes: given });
    const outcome: SideOutcome = { says, bytes: wholes(results) };
    return { kind: "done", outcome };
  } catch (error) {
    return { kind: "threw", said: error instanceof Error ? (error.stack ?? "") : String(error) };
  }
}

/** Throws what the system call throws, or where the file ends before. */
function readPart({ bytes, descriptor, into, position }: ThreadPart): void {
  for (let done = 0; done < bytes; ) {
    const read = readSync(descriptor, into, done, bytes - done, position + done);
    if (read === 0) throw new RangeError(`the file ends at ${position + done}`);
    done += read;
  }
}

/**
 * Each the whole of an ArrayBuffer of its own: a view of a part would be sent with all that lies
 * around it.
 */
function wholes(results: readonly Uint8Array[]): readonly Uint8Array[] {
  const seen = new Set<ArrayBufferLike>();
  return results.map((bytes) => {
    const { buffer, byteLength } = bytes;
    const isWhole = buffer instanceof ArrayBuffer && buffer.byteLength === byteLength;
    if (!isWhole || seen.has(buffer)) return new Uint8Array(bytes);
    seen.add(buffer);
    return bytes;
  });
}
