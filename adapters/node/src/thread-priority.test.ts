import { execFileSync } from "node:child_process";
import { getPriority } from "node:os";
import { expect, test } from "vitest";
import { backgroundNiceness } from "./limits.ts";

const module = new URL("thread-priority.ts", import.meta.url);

/** The priority of a thread that yielded, of a process that was started with this much less. */
function yieldedAfter(niceness: number): number {
  const program = `
    import { getPriority } from "node:os";
    const { yieldToOthers } = await import("${module.href}");
    yieldToOthers();
    console.log(getPriority());`;
  const node = [process.execPath, "--input-type=module", "-e", program];
  return Number(execFileSync("nice", ["-n", String(niceness), ...node], { encoding: "utf8" }));
}

test.runIf(process.platform === "linux")(
  "a thread that yields has a lower priority, never a higher one",
  () => {
    const own = getPriority();
    expect(yieldedAfter(0)).toBe(Math.max(own, backgroundNiceness));
    expect(yieldedAfter(12)).toBe(Math.min(19, own + 12));
  },
);
