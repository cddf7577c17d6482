/** What a thread of side work needs of this package, without what it would take to load the rest. */
export { loadCodecs } from "./codecs.ts";
export { crc32c } from "./crc32c.ts";
export { serveSideTasks } from "./worker-pool-entry.ts";
