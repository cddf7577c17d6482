import { existsSync, mkdirSync } from "node:fs";
import { type Clock, DriverError } from "@millrace/core";
import { lockDirectory } from "./directory-lock.ts";
import { clusterLockMsMax } from "./limits.ts";

const pollMs = 5;

/**
 * Makes the folder, for its owner alone, where it is not there, and runs `change` while nobody else,
 * of this process or another one, runs one in it. The lock ends with its process, however that ends.
 * Throws DriverError when it does not come in time.
 */
export async function inFolder<Result>(
  path: string,
  clock: Clock,
  change: () => Promise<Result>,
): Promise<Result> {
  const lateMs = clock.monotonicMs() + clusterLockMsMax;
  for (;;) {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const lock = await lockDirectory(path);
    // One that was removed before it was locked is another one by now.
    if (lock.kind === "locked" && existsSync(path)) {
      try {
        return await change();
      } finally {
        await lock.release();
      }
    }
    if (lock.kind === "locked") await lock.release();
    if (clock.monotonicMs() > lateMs) {
      const details = { retriable: true, applied: "no" } as const;
      throw new DriverError(`${path} is being changed by another process`, details);
    }
    await new Promise<void>((resolve) => clock.after(pollMs, resolve));
  }
}
