import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { watchTurns } from "./event-loop.ts";

function holdLoop(ms: number): void {
  const startMs = performance.now();
  while (performance.now() - startMs < ms);
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

it("sees a stall once with its whole length, wherever it comes from, and no sleep", async () => {
  const turns: number[] = [];
  const stop = watchTurns((busyMs) => turns.push(busyMs));
  await wait(300);
  const asleep = turns.splice(0);
  setTimeout(() => holdLoop(150), 5);
  await wait(200);
  setImmediate(() => holdLoop(150));
  await wait(200);
  stop();
  expect(Math.max(...asleep)).toBeLessThan(150);
  const stalls = turns.filter((busyMs) => busyMs >= 140);
  expect(stalls).toHaveLength(2);
});

it("is called no more when it was ended", async () => {
  let turns = 0;
  watchTurns(() => {
    turns += 1;
  })();
  await wait(20);
  expect(turns).toBe(0);
});

it("wakes no process that waits, and keeps none alive", () => {
  const program = join(import.meta.dirname, "../test-programs/watched-sleep.ts");
  const { stdout, stderr, status } = spawnSync(process.execPath, [program], { encoding: "utf8" });
  expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  expect(Number(stdout)).toBeLessThan(20);
});
