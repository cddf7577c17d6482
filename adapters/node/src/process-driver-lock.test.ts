import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DriverError } from "@millrace/core";
import { afterEach, beforeEach, expect, it } from "vitest";
import { clusterLockMsMax } from "./limits.ts";
import { inFolder } from "./process-driver-lock.ts";

let folder: string;
let nowMs = 0;
/** Time that moves on whenever someone waits. */
const clock = {
  wallMs: () => nowMs,
  monotonicMs: () => nowMs,
  after: (delayMs: number, run: () => void) => {
    const timer = setImmediate(() => {
      nowMs += delayMs;
      run();
    });
    return { cancel: () => clearImmediate(timer) };
  },
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-lock-"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

it("changes of a folder come one after another", async () => {
  const seen: string[] = [];
  const change = (name: string) => async (): Promise<void> => {
    seen.push(`${name} begins`);
    await new Promise((resolve) => setImmediate(resolve));
    seen.push(`${name} ends`);
  };
  await Promise.all(["a", "b", "c"].map((name) => inFolder(folder, clock, change(name))));
  for (let at = 0; at < seen.length; at += 2) {
    expect(seen[at + 1]).toBe(seen[at]?.replace("begins", "ends"));
  }
  expect(seen).toHaveLength(6);
});

it("who waits too long for another's change is told so, and may try again", async () => {
  let release: () => void = () => undefined;
  const held = inFolder(folder, clock, () => new Promise<void>((resolve) => (release = resolve)));
  const sinceMs = nowMs;
  const failure: unknown = await inFolder(folder, clock, async () => undefined).catch(
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(DriverError);
  expect(failure).toMatchObject({ retriable: true, applied: "no" });
  expect(nowMs - sinceMs).toBeGreaterThan(clusterLockMsMax);
  release();
  await held;
});
