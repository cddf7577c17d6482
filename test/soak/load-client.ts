/** A process of load.py: it works until its input ends, and says what it did in lines. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";

export interface LoadClient {
  readonly child: ChildProcess;
  /** Resolves when the process is gone and every line was heard. */
  readonly ended: Promise<void>;
}

const endMsMax = 30_000;

export function startLoadClient(
  python: string,
  args: readonly string[],
  hear: (line: string) => void,
): LoadClient {
  const child = spawn(python, ["-B", join(import.meta.dirname, "load.py"), ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  // A killed client's input is broken; that it is gone is known.
  child.stdin.on("error", () => undefined);
  createInterface({ input: child.stdout }).on("line", hear);
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  return { child, ended };
}

/** Asks a client to end by the end of its input, and waits until it has. */
export async function endLoadClient(
  { child, ended }: LoadClient,
  withinMs: number = endMsMax,
): Promise<void> {
  child.stdin?.end();
  const timer = setTimeout(() => child.kill("SIGKILL"), withinMs);
  await ended;
  clearTimeout(timer);
}
