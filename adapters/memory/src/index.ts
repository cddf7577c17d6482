export * from "./clock.ts";
export * from "./metadata-store.ts";
export * from "./random.ts";
export * from "./metadata-store-faults.ts";
export * from "./disk.ts";
