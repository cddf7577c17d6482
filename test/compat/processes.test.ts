import { expect, test } from "vitest";
import { runOrThrow, runToEnd } from "./processes.ts";

const cwd = import.meta.dirname;

test("a program's output and exit code are kept apart", async () => {
  const command = { file: "sh", args: ["-c", "echo out; echo err >&2; exit 3"], cwd };
  expect(await runToEnd(command, 10_000)).toMatchObject({
    exitCode: 3,
    timedOut: false,
    stdout: "out\n",
    stderr: "err\n",
  });
});

test("a program that takes too long is killed together with what it started", async () => {
  // The second sleep holds the pipe open: the run ends only because that one is killed as well.
  const command = { file: "sh", args: ["-c", "sleep 60 & sleep 60"], cwd };
  const finished = await runToEnd(command, 200);
  expect(finished).toMatchObject({ exitCode: null, timedOut: true });
  expect(finished.durationMs).toBeLessThan(10_000);
});

test("a command that has to succeed throws with the end of its output", async () => {
  const command = { file: "sh", args: ["-c", "echo no such version >&2; exit 1"], cwd };
  await expect(runOrThrow(command, 10_000)).rejects.toThrow("no such version");
});

test("a program that is not there is an error, not a success without output", async () => {
  const command = { file: "no-such-program", args: [], cwd };
  await expect(runToEnd(command, 1_000)).rejects.toThrow("ENOENT");
});
