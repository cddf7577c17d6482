/** What becomes of a log that goes to a pipe which nobody reads. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { pathToFileURL } from "node:url";
import { join } from "node:path";
import { expect, test } from "vitest";
import { keptLogBytesMax } from "./limits.ts";

const lineBytes = 1_000;
const lineCount = 10_000;
/** Of lines that fit into what is left where one of the others does not. */
const shortBytes = 8;
/** What the kernel and both ends of a pipe hold besides. */
const pipeBytesMax = 1_048_576;

/**
 * Writes all lines, says so on standard output, and then one line for each number of bytes
 * that it is told.
 */
const program = `
import { logToStandardError } from ${JSON.stringify(
  pathToFileURL(join(import.meta.dirname, "standard-streams.ts")).href,
)};
const log = logToStandardError([process.stdout, process.stderr]);
const line = (name, bytes) => log.write(name.padEnd(bytes - 1, ".") + "\\n");
for (let i = 0; i < ${lineCount}; i += 1) line(String(i), ${lineBytes});
process.stdout.write("written");
process.stdin.on("data", (sizes) => {
  for (const bytes of String(sizes).trim().split(" ")) line("after", Number(bytes));
});
process.stdin.on("end", () => process.exit());
`;

/** A process that has written all lines while nobody read any. */
async function stalled(): Promise<ChildProcess> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", program]);
  child.stderr.pause();
  await once(child.stdout, "data");
  return child;
}

/**
 * What it wrote to its log by its end, now that all is read: every line that was kept, and those of
 * `after` bytes that it was asked for until they came.
 */
async function restOf(child: ChildProcess, after: number): Promise<readonly string[]> {
  let text = "";
  child.stderr?.setEncoding("utf8");
  child.stderr?.on("data", (chunk: string) => {
    text += chunk;
  });
  child.stderr?.resume();
  // With each line as much as fits into the pipe.
  const hasCome = (): boolean => {
    if (/^after/mu.test(text)) return true;
    child.stdin?.write(`${after} `);
    return false;
  };
  try {
    await expect.poll(hasCome, { timeout: 10_000, interval: 100 }).toBe(true);
  } finally {
    child.stdin?.end();
  }
  await once(child, "close");
  return text.trimEnd().split("\n");
}

test("a log that nobody reads is kept up to a bound: further lines are dropped until there is room", async () => {
  const lines = await restOf(await stalled(), shortBytes);
  const before = lines.filter((line) => !line.startsWith("after"));
  const bytes = before.length * lineBytes;
  expect(bytes).toBeGreaterThan(keptLogBytesMax - lineBytes);
  expect(bytes).toBeLessThanOrEqual(keptLogBytesMax + pipeBytesMax);
  // The first ones, whole and in their order.
  expect(before).toEqual(before.map((_, i) => String(i).padEnd(lineBytes - 1, ".")));
  expect(lines.length).toBeGreaterThan(before.length);
});

test("a log that was not read is written again once it is, with lines as long as those before", async () => {
  const lines = await restOf(await stalled(), lineBytes);
  expect(lines.at(-1)).toMatch(/^after\.+$/u);
});
