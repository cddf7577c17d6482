export * from "./clock.ts";
export * from "./metadata-store.ts";
export * from "./random.ts";
export { NodeDisk, type NodeDiskOptions } from "./disk.ts";
export * from "./directory-lock.ts";
export { watchTurns } from "./event-loop.ts";
export { loadCodecs } from "./codecs.ts";
export { crc32c } from "./crc32c.ts";
export { readProcessUsage } from "./process-usage.ts";
