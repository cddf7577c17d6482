/** The Python example answers as the files do, and with the client that is compared with Kafka. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runToEnd } from "../compat/processes.ts";
import { PROGRAMS } from "../compat/programs.ts";
import { startBroker } from "../formats/broker-process.ts";
import { answers, expectedLines } from "../integration/expected-answers.ts";

const root = join(import.meta.dirname, "../..");
const exampleMsMax = 120_000;

async function installedPython(): Promise<string> {
  const program = PROGRAMS.find(({ name }) => name === "python");
  if (program === undefined) throw new Error("the compatibility lane has no Python program");
  return (await program.install(join(root, ".cache/compat"))).file;
}

test("the Python example answers as the files do", async () => {
  const python = await installedPython();
  const folder = mkdtempSync(join(tmpdir(), "millrace-python-"));
  const broker = await startBroker(join(folder, "data"), []);
  try {
    const main = join(root, "examples/python/main.py");
    const args = ["-B", main, `127.0.0.1:${broker.port}`];
    const run = await runToEnd({ file: python, args, cwd: folder }, exampleMsMax);
    expect(run.stderr).toBe("");
    expect(run.exitCode).toBe(0);
    expect(answers(run.stdout)).toEqual(expectedLines());
  } finally {
    await broker.end("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
});

test("the Python example's requirements are those that the compatibility lane installs", () => {
  const requirements = (folder: string): string =>
    readFileSync(join(root, folder, "requirements.txt"), "utf8").trim();
  expect(requirements("examples/python")).toBe(requirements("test/compat/python"));
});
