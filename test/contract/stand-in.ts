import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** A server that nobody here wrote, in a process of its own. */
export interface StandIn {
  /** As `http://127.0.0.1:34567`. */
  readonly endpoint: string;
  /** Ends it, by its pid if it does not end by itself; resolves when it is gone. */
  stop(): Promise<void>;
}

interface StandInCommand {
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
}

const startMsMax = 120_000;
const endMsMax = 2_000;

/**
 * Starts a server that says `listening on {port}` of loopback, and that ends with its standard
 * input, so also when the test is killed. Throws when it says nothing of the kind.
 */
export async function startStandIn({ args, cwd, file, name }: StandInCommand): Promise<StandIn> {
  const child = spawn(file, args, { cwd, stdio: ["pipe", "pipe", "pipe"] });
  const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
  try {
    const port = await announcedPort(name, child);
    const stop = async (): Promise<void> => {
      child.stdin.end();
      const late = setTimeout(() => child.kill("SIGKILL"), endMsMax);
      await gone;
      clearTimeout(late);
    };
    return { endpoint: `http://127.0.0.1:${port}`, stop };
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
}

function announcedPort(name: string, child: ChildProcess): Promise<number> {
  const output: string[] = [];
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      reject(new Error(`${name} did not start: ${why}\n${output.slice(-30).join("\n")}`));
    };
    const timer = setTimeout(() => fail(`nothing heard for ${startMsMax} ms`), startMsMax);
    child.once("error", (error) => fail(error.message));
    child.once("close", (code) => fail(`it ended with ${code}`));
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      // Read to the end of the test: a full pipe would stop the server.
      createInterface({ input: stream }).on("line", (line) => {
        if (output.push(line) > 1000) output.shift();
        const port = /^listening on (\d+)$/u.exec(line)?.[1];
        if (port === undefined) return;
        clearTimeout(timer);
        resolve(Number(port));
      });
    }
  });
}
