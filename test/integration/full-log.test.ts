/** A disk that is full may be the one that the log is written to. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { freePort } from "../compat/targets.ts";

const root = join(import.meta.dirname, "../..");
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-full-log-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

test.runIf(existsSync("/dev/full"))(
  "a broker whose output goes to a full disk is ready, and ends when it is asked to",
  async () => {
    const full = openSync("/dev/full", "w");
    const port = await freePort();
    const flags = ["--data", folder, "--port", "0", "--http-port", `${port}`];
    // A warning at the start: of a key that there is not.
    const args = ["tools/start.mjs", ...flags, "--set", "no.such.key=1"];
    const broker = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", full, full] });
    const exit = new Promise<number | null>((resolve) => broker.on("close", resolve));
    try {
      await expect.poll(() => isReady(port), { timeout: 20_000 }).toBe(true);
    } finally {
      broker.kill("SIGTERM");
    }
    expect(await exit).toBe(0);
  },
);

async function isReady(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
  } catch {
    return false;
  }
}
