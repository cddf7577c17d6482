/** The examples' answers, computed by a consumer group, are those computed from the files. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { answers, expectedLines } from "./expected-answers.ts";

const root = join(import.meta.dirname, "../..");
let folder: string;
let broker: ReturnType<typeof spawn>;
let bootstrap: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "millrace-examples-"));
  const main = join(root, "tools/start.mjs");
  const flags = ["--data", folder, "--port", "0", "--http-port", "off"];
  const child = spawn(process.execPath, [main, ...flags], { stdio: ["ignore", "pipe", "inherit"] });
  broker = child;
  bootstrap = await new Promise<string>((resolve, reject) => {
    let output = "";
    child.on("close", () => reject(new Error(`the broker ended: ${output}`)));
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      const match = /kafka\s+(127\.0\.0\.1:\d+)/i.exec(output);
      if (match?.[1] !== undefined) resolve(match[1]);
    });
  });
});

afterAll(() => {
  broker.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

test("the TypeScript example answers as the files do", () => {
  const main = join(root, "examples/typescript/src/main.ts");
  const run = spawnSync(process.execPath, [main, bootstrap], { encoding: "utf8", timeout: 90_000 });
  expect(run.stderr).toBe("");
  expect(answers(run.stdout)).toEqual(expectedLines());
});
