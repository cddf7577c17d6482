/**
 * Child processes of the bench that work until they are told to stop: by the end of their standard
 * input, so that one whose parent dies stops too.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";

const endMsMax = 60_000;

export interface Child {
  readonly firstLine: () => Promise<string>;
  /** Ends its input; resolves with all its output, rejects when it ended with an error. */
  readonly finish: () => Promise<string>;
  readonly kill: () => void;
}

interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
}

export function startChild(command: Command): Child {
  const child: ChildProcess = spawn(command.file, command.args, {
    cwd: command.cwd,
    stdio: ["pipe", "pipe", "pipe"],
  });
  let output = "";
  let complaints = "";
  child.stderr?.setEncoding("utf8");
  child.stderr?.on("data", (text: string) => {
    complaints = `${complaints}${text}`.slice(-3_000);
  });
  const closed = new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  const lined = new Promise<string>((resolve, reject) => {
    child.stdout?.setEncoding("utf8");
    child.stdout?.on("data", (text: string) => {
      output += text;
      const end = output.indexOf("\n");
      if (end >= 0) resolve(output.slice(0, end));
    });
    closed.then(
      (code) => reject(new Error(`${command.file} ended with ${code}: ${complaints}`)),
      reject,
    );
  });
  // Whoever does not ask for the first line learns of a failure from `finish`.
  lined.catch(() => undefined);
  const finish = async (): Promise<string> => {
    child.stdin?.end();
    const timer = setTimeout(() => child.kill("SIGKILL"), endMsMax);
    const code = await closed;
    clearTimeout(timer);
    if (code !== 0)
      throw new Error(`${command.file} ${command.args.join(" ")}: exit ${code}: ${complaints}`);
    return output;
  };
  return { firstLine: () => lined, finish, kill: () => child.kill("SIGKILL") };
}

export interface Waits {
  readonly max: number;
  readonly median: number;
  readonly count: number;
}

/** What another client waited, at most, while `work` was done (see prober.ts). */
export async function probing(
  broker: { readonly port: number },
  topic: string,
  work: () => Promise<void>,
): Promise<Waits> {
  const prober = startChild({
    file: process.execPath,
    args: [join(import.meta.dirname, "prober.ts"), String(broker.port), topic, "5"],
    cwd: import.meta.dirname,
  });
  try {
    await prober.firstLine();
    await work();
    const [, result = ""] = (await prober.finish()).split("\n");
    return JSON.parse(result) as Waits;
  } finally {
    prober.kill();
  }
}
