/**
 * Child processes of the lane. Each is the leader of its own process group, and is ended by that
 * group's id: a JVM or a shell that the child started goes with it, and nothing else on the machine
 * does.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Finished {
  /** null when the process was killed. */
  readonly exitCode: number | null;
  readonly timedOut: boolean;
  readonly stdout: string;
  readonly stderr: string;
  readonly durationMs: number;
}

export interface Server {
  readonly pid: number;
  /** True once the process has ended, for whatever reason. */
  readonly ended: () => boolean;
  /** SIGTERM, then SIGKILL after 5 s; resolves when the process is gone. */
  readonly stop: () => Promise<void>;
  /** The last lines of its output, for the report of a failure. */
  readonly outputTail: () => string;
}

const STDOUT_CHARS_MAX = 8 * 1024 * 1024;
const STOP_GRACE_MS = 5_000;
const running = new Set<number>();

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function pidOf(child: ChildProcess, command: Command): number {
  if (child.pid === undefined) throw new Error(`cannot start ${command.file}`);
  running.add(child.pid);
  return child.pid;
}

/**
 * What a stopped lane must not leave behind: call it from the signal handlers of the entry point.
 */
export function killEverythingStarted(): void {
  for (const pid of running) killGroup(pid, "SIGKILL");
}

/**
 * Runs a command to its end, or kills its group after `timeoutMs`. Rejects only when it cannot be
 * started.
 */
export function runToEnd(command: Command, timeoutMs: number): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    const child = spawn(command.file, command.args, {
      cwd: command.cwd,
      env: { ...process.env, ...command.env },
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.on("error", reject);
    if (child.pid === undefined) return;
    const pid = pidOf(child, command);
    const output = { stdout: "", stderr: "" };
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      killGroup(pid, "SIGKILL");
    }, timeoutMs);
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream].setEncoding("utf8");
      child[stream].on("data", (chunk: string) => {
        if (output[stream].length < STDOUT_CHARS_MAX) output[stream] += chunk;
      });
    }
    child.on("close", (exitCode) => {
      clearTimeout(timer);
      running.delete(pid);
      resolve({ exitCode, timedOut, ...output, durationMs: performance.now() - startedAt });
    });
  });
}

/** Runs a command that has to succeed: throws with the end of its output when it does not. */
export async function runOrThrow(command: Command, timeoutMs: number): Promise<string> {
  const finished = await runToEnd(command, timeoutMs);
  if (finished.exitCode === 0) return finished.stdout;
  const outcome = finished.timedOut ? `took over ${timeoutMs} ms` : `exit ${finished.exitCode}`;
  const output = `${finished.stdout}\n${finished.stderr}`.trim().slice(-3_000);
  throw new Error(`${command.file} ${command.args.join(" ")}: ${outcome}\n${output}`);
}

/** Starts a long-running process with its output in `logFile`. */
export function startServer(command: Command, logFile: string): Server {
  const log = openSync(logFile, "w");
  const child = spawn(command.file, command.args, {
    cwd: command.cwd,
    env: { ...process.env, ...command.env },
    detached: true,
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  const pid = pidOf(child, command);
  let ended = false;
  const gone = new Promise<void>((resolve) => {
    child.on("close", () => {
      ended = true;
      running.delete(pid);
      resolve();
    });
  });
  const stop = async (): Promise<void> => {
    killGroup(pid, "SIGTERM");
    const timer = setTimeout(() => killGroup(pid, "SIGKILL"), STOP_GRACE_MS);
    await gone;
    clearTimeout(timer);
  };
  const outputTail = (): string => readFileSync(logFile, "utf8").slice(-3_000);
  return { pid, ended: () => ended, stop, outputTail };
}
