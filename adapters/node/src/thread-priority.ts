import { setPriority } from "node:os";
import { backgroundNiceness } from "./limits.ts";

/**
 * Lowers the priority of the calling thread, as long as it lives. Linux has one for each thread; where
 * a platform has one for the whole process, nothing changes.
 */
export function yieldToOthers(): void {
  if (process.platform === "linux") setPriority(backgroundNiceness);
}
