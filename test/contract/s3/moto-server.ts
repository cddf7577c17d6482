/**
 * moto, an S3-compatible server that nobody here wrote, in a process of its own: installed from its
 * registry into the cache at the first use, on loopback, on a free port, ended by its pid. What
 * fails on the way is an error: a lane that can't start its server has not passed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { installed } from "../../compat/install.ts";
import { runOrThrow } from "../../compat/processes.ts";

export interface MotoServer {
  /** As `http://127.0.0.1:34567`. */
  readonly endpoint: string;
  stop(): Promise<void>;
}

const cache = join(import.meta.dirname, "../../../.cache/contract");
const installMsMax = 600_000;
const startMsMax = 120_000;

export async function startMoto(): Promise<MotoServer> {
  const directory = await installMoto();
  const child = spawn(`${directory}/venv/bin/python`, ["-B", "main.py"], {
    cwd: directory,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
  try {
    const port = await announcedPort(child);
    const stop = async (): Promise<void> => {
      child.kill("SIGKILL");
      await gone;
    };
    return { endpoint: `http://127.0.0.1:${port}`, stop };
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
}

async function installMoto(): Promise<string> {
  const build = async (cwd: string): Promise<void> => {
    await runOrThrow({ file: "python3", args: ["-m", "venv", "venv"], cwd }, installMsMax);
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    const args = [...pip, "--only-binary", ":all:", "-r", "requirements.txt"];
    await runOrThrow({ file: `${cwd}/venv/bin/python`, args, cwd }, installMsMax);
  };
  try {
    const source = join(import.meta.dirname, "moto");
    return await installed({ cache, name: "moto", source, build });
  } catch (cause) {
    const message =
      "The S3 contract needs the server moto, and it could not be installed: python3 with venv " +
      "and a package registry that has test/contract/s3/moto/requirements.txt are needed.";
    throw new Error(message, { cause });
  }
}

function announcedPort(child: ChildProcess): Promise<number> {
  const output: string[] = [];
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      reject(new Error(`moto did not start: ${why}\n${output.slice(-30).join("\n")}`));
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
