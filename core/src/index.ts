export * from "./assert.ts";
export * from "./ids.ts";
export * from "./ports/clock.ts";
export * from "./ports/disk.ts";
export * from "./ports/metadata-store.ts";
export * from "./ports/random.ts";
