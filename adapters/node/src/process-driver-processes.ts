/**
 * Processes that outlive whoever started them. Each writes its own pid into a file before it becomes
 * the program, so that there is none without a file, wherever its starter was killed. A pid is taken
 * for the process only as long as the process's own arguments name what the file is for: pids are
 * used again.
 */
import { execFileSync, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { DriverError } from "@millrace/core";
import { processStartMsMax } from "./limits.ts";
import { readText } from "./process-driver-folder.ts";

export interface ProcessPlace {
  readonly pidPath: string;
  /** An argument that no other process has: the path of what is its own. */
  readonly ownArgument: string;
}

export interface ProcessStart extends ProcessPlace {
  /** Node's arguments, `ownArgument` among them. */
  readonly args: readonly string[];
  readonly logPath: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** `$0` is the pid file: whoever finds one there does not start. */
const script = 'set -C; echo "$$" > "$0" || exit 17; exec "$@"';
const pollMs = 2;

/**
 * Starts it in a session of its own. Only for who holds the folder's lock: of two starters at once
 * the second one's process ends at once. Throws DriverError.
 */
export async function startDetached(start: ProcessStart): Promise<void> {
  rmSync(start.pidPath, { force: true });
  const log = openSync(start.logPath, "a", 0o600);
  const child = spawn("/bin/sh", ["-c", script, start.pidPath, process.execPath, ...start.args], {
    detached: true,
    stdio: ["ignore", log, log],
    env: { ...start.env },
  });
  closeSync(log);
  let ending: string | undefined;
  child.on("error", (error) => {
    ending = error.message;
  });
  child.on("exit", (code, signal) => {
    ending = `exit ${code ?? signal}`;
  });
  child.unref();
  const lateMs = performance.now() + processStartMsMax;
  while (pidIn(start.pidPath) === undefined) {
    const isLate = performance.now() > lateMs;
    if (ending !== undefined || isLate) {
      const why = ending ?? `nothing seen of it in ${processStartMsMax} ms`;
      throw new DriverError(`a process can't be started: ${why}`, {
        ...{ retriable: true, applied: "maybe" },
      });
    }
    await sleep(pollMs);
  }
}

/** Undefined: it does not run. */
export function livePid({ ownArgument, pidPath }: ProcessPlace): number | undefined {
  const pid = pidIn(pidPath);
  return pid !== undefined && hasArgument(pid, ownArgument) ? pid : undefined;
}

/** To the process of the place alone, if it runs. */
export function signalProcess(place: ProcessPlace, signal: NodeJS.Signals): void {
  const pid = livePid(place);
  if (pid === undefined) return;
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It ended between two looks.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** What it said last, for the operator. */
export function logTail(path: string): string {
  return (readText(path) ?? "").trimEnd().slice(-1_000);
}

function pidIn(path: string): number | undefined {
  const text = readText(path)?.trim();
  return text !== undefined && /^\d+$/u.test(text) ? Number(text) : undefined;
}

function hasArgument(pid: number, argument: string): boolean {
  if (process.platform === "linux") return argumentsOf(pid).includes(argument);
  try {
    const said = execFileSync("ps", ["-ww", "-o", "command=", "-p", String(pid)], {
      encoding: "utf8",
    });
    return said.includes(argument);
  } catch {
    // There is no such process.
    return false;
  }
}

/** None of a process that is gone, or that has ended and was not waited for. */
function argumentsOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}
