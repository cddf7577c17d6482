/** What a thread needs of this package, without what it would take to load the rest. */
import { workerData } from "node:worker_threads";
import { serveObjectWrites, type WriterStart } from "./object-writer-thread.ts";

export { loadCodecs } from "./codecs.ts";
export { crc32c } from "./crc32c.ts";
export { serveSideTasks } from "./worker-pool-entry.ts";
export { serveObjectWrites };

/** Whether this thread writes objects. Else it does side work. */
export function writesObjects(): boolean {
  const start = workerData as Partial<WriterStart> | null;
  return start?.role === "writes objects";
}
