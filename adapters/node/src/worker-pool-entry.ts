import { parentPort } from "node:worker_threads";
import { assert, type SideOutcome, type SideTasks } from "@millrace/core";
import type { ThreadAnswer, ThreadTask } from "./worker-pool-thread.ts";

/** What the file that a thread of `WorkerPool` runs has to call, once: serves these tasks. */
export function serveSideTasks(tasks: SideTasks): void {
  const port = parentPort;
  assert(port !== null, "side tasks are served in a thread");
  port.on("message", (asked: ThreadTask) => {
    const answer = answerTo(asked, tasks);
    const bytes = answer.kind === "done" ? answer.outcome.bytes : [];
    port.postMessage(
      answer,
      bytes.map(({ buffer }) => buffer as ArrayBuffer),
    );
  });
}

function answerTo({ bytes, task, told }: ThreadTask, tasks: SideTasks): ThreadAnswer {
  const work = Object.hasOwn(tasks, task) ? tasks[task] : undefined;
  if (work === undefined) return { kind: "unknown" };
  try {
    const { says, bytes: results } = work({ told, bytes });
    const outcome: SideOutcome = { says, bytes: wholes(results) };
    return { kind: "done", outcome };
  } catch (error) {
    return { kind: "threw", said: error instanceof Error ? (error.stack ?? "") : String(error) };
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
