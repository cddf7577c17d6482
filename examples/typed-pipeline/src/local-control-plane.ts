/** A control plane on this machine, for as long as the program runs: the repository's own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const script = join(import.meta.dirname, "../../../tools/control-plane.ts");

export interface LocalControlPlane extends AsyncDisposable {
  readonly url: string;
}

export async function startControlPlane(): Promise<LocalControlPlane> {
  const directory = await mkdtemp(join(tmpdir(), "millrace-"));
  const child = spawn(process.execPath, [script, "--data", directory, "--port", "0"], {
    stdio: ["ignore", "pipe", "inherit"],
    // Ctrl-C does not reach it: it is still needed to delete what it made.
    detached: true,
  });
  const ended = once(child, "exit");
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await ended;
    await rm(directory, { recursive: true, force: true });
  };
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /(http:\/\/\S+)/u.exec(line)?.[1];
    if (url !== undefined) return { url, [Symbol.asyncDispose]: stop };
  }
  await stop();
  throw new Error("the control plane did not start");
}
