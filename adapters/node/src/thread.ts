/** What a thread needs of this package, without what it would take to load the rest. */
export { loadCodecs } from "./codecs.ts";
export { crc32c } from "./crc32c.ts";
export { serveObjectWrites, writesObjects } from "./object-writer-thread.ts";
export { serveSideTasks } from "./worker-pool-entry.ts";
