export * from "./clock.ts";
export * from "./metadata-store.ts";
export { nodeHashing } from "./hashing.ts";
export * from "./random.ts";
export { NodeDisk, type NodeDiskOptions } from "./disk.ts";
export * from "./directory-lock.ts";
export { watchTurns } from "./event-loop.ts";
export { loadCodecs } from "./codecs.ts";
export { crc32c } from "./crc32c.ts";
export { readStoredEntries, type StoredEntry } from "./read-items.ts";
export {
  WorkerPool,
  type WorkerPoolDeps,
  type WorkerPoolLimits,
  workerPoolLimits,
} from "./worker-pool.ts";
export type { ThreadEntry } from "./worker-pool-thread.ts";
export { readProcessUsage } from "./process-usage.ts";
export { FileObjectStore, type FileObjectStoreOptions } from "./object-files.ts";
export {
  MetadataHost,
  type MetadataHostLimits,
  type MetadataHostOptions,
} from "./metadata-host.ts";
export {
  HostedMetadataStore,
  type HostedMetadataStoreDeps,
  type HostedStoreLimits,
} from "./metadata-host-store.ts";
