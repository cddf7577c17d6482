/** `start.mjs` in a small tree of its own: what it runs must be what the sources say. */
import { spawn } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

const repository = join(import.meta.dirname, "..");
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "millrace-tree-"));
  mkdirSync(join(root, "tools"));
  for (const name of ["start.mjs", "bundle.ts", "bundle-apart.ts"]) {
    cpSync(join(repository, "tools", name), join(root, "tools", name));
  }
  mkdirSync(join(root, "broker-fargate/src/side-work"), { recursive: true });
  symlinkSync(join(repository, "node_modules"), join(root, "node_modules"));
  write("package.json", '{ "type": "module" }');
  write("broker-fargate/src/word.ts", 'export const word: string = "first";\n');
  write("broker-fargate/src/main.ts", 'import { word } from "./word.ts";\nconsole.log(word);\n');
  write("broker-fargate/src/side-work/main.ts", threadText("first"));
  write("broker-fargate/src/side-work/entry.ts", "export const sideWorkEntry = undefined;\n");
});

function threadText(word: string): string {
  return `import { parentPort } from "node:worker_threads";\nparentPort?.postMessage("${word}");\n`;
}

afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, text: string): void {
  writeFileSync(join(root, path), text);
}

interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number | null;
}

function start(...nodeFlags: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, [...nodeFlags, join(root, "tools/start.mjs")]);
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve) =>
    child.on("close", (exitCode) => resolve({ stdout, stderr, exitCode })),
  );
}

function madeAt(): number {
  return statSync(join(root, ".cache/start/current.json")).mtimeMs;
}

test("a second start runs the bundle that the first one made", async () => {
  expect(await start()).toEqual({ stdout: "first\n", stderr: "", exitCode: 0 });
  const made = madeAt();
  expect(await start()).toEqual({ stdout: "first\n", stderr: "", exitCode: 0 });
  expect(madeAt()).toBe(made);
});

test("a changed source is never run from its old bundle, not even with its old size and time", async () => {
  await start();
  const path = join(root, "broker-fargate/src/word.ts");
  const { atime, mtime } = statSync(path);
  write("broker-fargate/src/word.ts", 'export const word: string = "other";\n');
  utimesSync(path, atime, mtime);
  expect(await start()).toEqual({ stdout: "other\n", stderr: "", exitCode: 0 });
});

test("a bundle that a crash or somebody removed is made again", async () => {
  await start();
  for (const name of readdirSync(join(root, ".cache/start"))) {
    if (name.endsWith(".cjs")) rmSync(join(root, ".cache/start", name));
  }
  expect((await start()).stdout).toBe("first\n");
  write(".cache/start/current.json", "");
  expect((await start()).stdout).toBe("first\n");
});

test("first starts at the same time all run, and leave nothing half written", async () => {
  const ended = await Promise.all([start(), start(), start()]);
  for (const each of ended) expect(each).toEqual({ stdout: "first\n", stderr: "", exitCode: 0 });
  const left = readdirSync(join(root, ".cache/start")).filter((name) => name !== "compiled");
  expect(left.toSorted()).toEqual([
    expect.stringMatching(/^[0-9a-f]{16}\.cjs$/),
    expect.stringMatching(/^[0-9a-f]{16}\.cjs\.map$/),
    "current.json",
  ]);
});

test("what threads run is in the one file, and is made again when its source changes", async () => {
  write(
    "broker-fargate/src/main.ts",
    `import { rmSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { sideWorkEntry } from "./side-work/entry.ts";
const { kind, text, url } = sideWorkEntry();
rmSync(new URL(import.meta.url));
const thread = new Worker(text, { eval: true, workerData: { url } });
thread.on("message", (word: string) => console.log(kind, word));
`,
  );
  expect(await start()).toEqual({ stdout: "text first\n", stderr: "", exitCode: 0 });
  write("broker-fargate/src/side-work/main.ts", threadText("second"));
  expect((await start()).stdout).toBe("text second\n");
});

test("without a bundler it says so and starts from the sources", async () => {
  rmSync(join(root, "node_modules"));
  mkdirSync(join(root, "node_modules/pino"), { recursive: true });
  const { stdout, stderr, exitCode } = await start();
  expect(stdout).toBe("first\n");
  expect(stderr).toMatch(/^millrace: no bundle \(.*'esbuild'.*\); starting from the sources/);
  expect(stderr.split("\n")).toHaveLength(2);
  expect(exitCode).toBe(0);
});

test("a stack trace names functions, and with source maps the source's file and line", async () => {
  write(
    "broker-fargate/src/word.ts",
    "export const word: string = ruin();\n\nfunction ruin(): never {\n  throw new Error(`\u2026`);\n}\n",
  );
  const { stderr, exitCode } = await start();
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/at ruin \(.*\.cjs:\d+/);
  expect((await start("--enable-source-maps")).stderr).toMatch(/word\.ts:4:/);
  const [bundle = ""] = readdirSync(join(root, ".cache/start")).filter((name) =>
    name.endsWith(".cjs"),
  );
  // One character beyond ASCII would double the memory of the whole source.
  expect(readFileSync(join(root, ".cache/start", bundle), "latin1")).not.toMatch(/[^\0-\x7f]/);
});
