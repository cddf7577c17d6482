import { getPriority, setPriority } from "node:os";
import { backgroundNiceness } from "./limits.ts";

/**
 * Lowers the priority of the calling thread, as long as it lives. Linux has one for each thread; where
 * a platform has one for the whole process, nothing changes.
 */
export function yieldToOthers(): void {
  if (process.platform !== "linux") return;
  try {
    // Of a process that was started with a lower one, it would be raised, or refused.
    if (getPriority() < backgroundNiceness) setPriority(backgroundNiceness);
  } catch {
    // A sandbox may refuse it; the work is done all the same.
  }
}
