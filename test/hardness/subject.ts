/**
 * The broker under attack: the real process on free loopback ports, and what the kernel and its own
 * metrics say about it. It is ended by its process id.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brokerEnvironment, brokerFlags } from "../../tools/launch.ts";
import { WireClient } from "../fixtures/wire-client.ts";

export interface LogLine {
  readonly reason?: string;
  readonly msg: string;
  readonly linesDropped?: number;
}

export interface Subject {
  readonly pid: number;
  readonly port: number;
  readonly httpPort: number;
  /** True once the process has ended, for whatever reason. */
  readonly ended: () => boolean;
  /** What its log says, parsed; the start screen and what is no JSON are left out. */
  readonly logLines: () => readonly LogLine[];
  readonly output: () => string;
  /** A series of the metrics by its name and labels; 0 for one that is not there. */
  readonly metric: (series: string) => Promise<number>;
  /** Bytes in memory now. */
  readonly residentBytes: () => number;
  /** The most bytes in memory since `forgetPeak`. */
  readonly peakBytes: () => number;
  readonly forgetPeak: () => void;
  /** Open file descriptors. */
  readonly descriptors: () => number;
  /** Collects what V8 has not yet: from then on what counts as used is used. */
  readonly collectGarbage: () => void;
  /** SIGKILL; resolves when it is gone. Its directory stays. */
  readonly kill: () => Promise<void>;
  /** SIGTERM; the directory goes, too. Resolves with the exit code and the milliseconds it took. */
  readonly stop: () => Promise<{ readonly exitCode: number | null; readonly ms: number }>;
}

const main = join(import.meta.dirname, "../../broker-fargate/src/main.ts");
const collector = join(import.meta.dirname, "collects-garbage.ts");
const stopMsMax = 15_000;

export async function startSubject(
  settings: readonly string[] = [],
  how: { readonly directory?: string; readonly main?: string } = {},
): Promise<Subject> {
  const directory = how.directory ?? (await mkdtemp(join(tmpdir(), "millrace-hardness-")));
  const flags = ["--data", directory, "--port", "0", "--http-port", "0"];
  const sets = ["group.initial.rebalance.delay.ms=0", ...settings];
  const args = [
    ...brokerFlags,
    ...["--import", collector],
    how.main ?? main,
    ...flags,
    ...sets.flatMap((setting) => ["--set", setting]),
  ];
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...brokerEnvironment },
  });
  const { pid } = child;
  if (pid === undefined) throw new Error("cannot start the broker");
  let output = "";
  const gone = new Promise<number | null>((resolve) => child.on("close", resolve));
  const ports = listening(child, (chunk) => {
    output += chunk;
    return output;
  });
  const started = await Promise.race([ports, gone]);
  if (started === null || typeof started === "number") {
    await rm(directory, { recursive: true, force: true });
    throw new Error(`the broker did not start:\n${output}`);
  }
  const metricsUrl = `http://127.0.0.1:${started.httpPort}/metrics`;
  return {
    pid,
    port: started.port,
    httpPort: started.httpPort,
    ended: () => child.exitCode !== null || child.signalCode !== null,
    logLines: () => parseLog(output),
    output: () => output,
    metric: async (series) => valueOf(await (await fetch(metricsUrl)).text(), series),
    residentBytes: () => statusBytes(pid, "VmRSS"),
    peakBytes: () => statusBytes(pid, "VmHWM"),
    // proc_pid_clear_refs(5): 5 sets the peak back to what is resident now.
    forgetPeak: () => writeFileSync(`/proc/${pid}/clear_refs`, "5"),
    descriptors: () => readdirSync(`/proc/${pid}/fd`).length,
    collectGarbage: () => {
      child.kill("SIGUSR2");
    },
    kill: async () => {
      child.kill("SIGKILL");
      await gone;
    },
    stop: async () => {
      const startedAt = performance.now();
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), stopMsMax);
      const exitCode = await gone;
      clearTimeout(timer);
      await rm(directory, { recursive: true, force: true });
      return { exitCode, ms: performance.now() - startedAt };
    },
  };
}

function listening(
  child: ChildProcess,
  hear: (chunk: string) => string,
): Promise<{ readonly port: number; readonly httpPort: number }> {
  return new Promise((resolve) => {
    const take = (chunk: Buffer): void => {
      const text = hear(chunk.toString());
      const port = /kafka\s+127\.0\.0\.1:(\d+)/iu.exec(text)?.[1];
      const httpPort = /http\s+http:\/\/127\.0\.0\.1:(\d+)/iu.exec(text)?.[1];
      if (port === undefined || httpPort === undefined) return;
      resolve({ port: Number(port), httpPort: Number(httpPort) });
    };
    child.stdout?.on("data", take);
    child.stderr?.on("data", take);
  });
}

function parseLog(output: string): readonly LogLine[] {
  return output
    .split("\n")
    .filter((line) => line.startsWith("{") && line.endsWith("}"))
    .map((line) => JSON.parse(line) as LogLine);
}

function valueOf(exposition: string, series: string): number {
  const line = exposition.split("\n").find((candidate) => candidate.startsWith(`${series} `));
  return line === undefined ? 0 : Number(line.slice(series.length + 1));
}

function statusBytes(pid: number, name: string): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  const kilobytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, "mu").exec(status)?.[1];
  if (kilobytes === undefined) throw new Error(`the kernel says no ${name} of ${pid}`);
  return Number(kilobytes) * 1024;
}

/** Creates a topic; throws when the broker refuses. */
export async function createTopic(
  port: number,
  name: string,
  options: { readonly partitions?: number; readonly configs?: Record<string, string> } = {},
): Promise<void> {
  const client = await WireClient.open(port);
  try {
    const configs = Object.entries(options.configs ?? {});
    const { topics } = await client.ask(19, 7, {
      timeoutMs: 10_000,
      topics: [
        {
          name,
          numPartitions: options.partitions ?? 1,
          replicationFactor: 1,
          assignments: [],
          configs: configs.map(([key, value]) => ({ name: key, value })),
        },
      ],
    });
    const [topic] = topics;
    if (topic?.errorCode !== 0) throw new Error(`${name}: ${topic?.errorMessage ?? "no answer"}`);
  } finally {
    client.close();
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
