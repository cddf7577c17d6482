/** What the image holds is enough: it starts from an empty folder of which it can write nothing. */
import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { assembleImage } from "../fixtures/broker-image.ts";

let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-image-"));
});

afterEach(() => {
  chmodTree(join(folder, "app"), 0o755);
  rmSync(folder, { recursive: true, force: true });
});

function chmodTree(path: string, mode: number): void {
  for (const entry of readdirSync(path, { recursive: true, withFileTypes: true })) {
    chmodSync(join(entry.parentPath, entry.name), entry.isDirectory() ? mode : mode & 0o644);
  }
  chmodSync(path, mode);
}

function allFiles(path: string): readonly string[] {
  return readdirSync(path, { recursive: true }).map(String).toSorted();
}

test("a broker starts from the image's files alone, and leaves them as they are", async () => {
  const args = assembleImage(folder);
  const app = join(folder, "app");
  const before = allFiles(app);
  chmodTree(app, 0o555);
  const flags = ["--data", join(folder, "data"), "--port", "0", "--http-port", "0"];
  const child = spawn(process.execPath, [...args, ...flags], { cwd: app, env: {} });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const http = await new Promise<string>((resolve, reject) => {
    child.on("close", () => reject(new Error(`it ended: ${said}`)));
    child.stdout.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      const found = /HTTP\s+(http:\S+)/u.exec(said)?.[1];
      if (found !== undefined) resolve(found);
    });
  });
  expect((await fetch(`${http}/healthz`)).status).toBe(200);
  expect((await fetch(`${http}/readyz`)).status).toBe(200);
  // Loaded at the first request for it, from the same file.
  expect((await fetch(`${http}/v1/clusters`)).status).toBe(200);
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  expect(await exited).toBe(0);
  expect(allFiles(app)).toEqual(before);
});
