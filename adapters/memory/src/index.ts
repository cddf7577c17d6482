export * from "./clock.ts";
export * from "./metadata-store.ts";
export * from "./random.ts";
export * from "./metadata-store-faults.ts";
export * from "./disk.ts";
export * from "./side-work.ts";
export * from "./object-store.ts";
export * from "./object-store-faults.ts";
