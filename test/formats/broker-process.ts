/** A real broker on a directory, on a free port. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";

const main = join(import.meta.dirname, "../../tools/start.mjs");

/**
 * Nothing in a directory may come of age while it waits for its next reader: no committed offset.
 * (Records and producers carry timestamps of a far future.)
 */
const ageless: readonly string[] = [
  "offsets.retention.minutes=2147483647",
  "group.initial.rebalance.delay.ms=0",
];

export interface BrokerProcess {
  readonly port: number;
  /** Sends the signal and resolves when the process is gone; with its exit code, if it has one. */
  end(signal: "SIGTERM" | "SIGKILL"): Promise<number | null>;
}

export interface Refusal {
  readonly exitCode: number | null;
  readonly stderr: string;
}

interface Started {
  readonly child: ChildProcess;
  readonly exited: Promise<Refusal>;
  readonly listening: Promise<number>;
  /** What it has said so far. */
  readonly said: () => string;
}

function start(directory: string, settings: readonly string[], http: "off" | "0" = "off"): Started {
  const flags = ["--data", directory, "--port", "0", "--http-port", http];
  const sets = settings.flatMap((setting) => ["--set", setting]);
  const child = spawn(process.execPath, [main, ...flags, ...sets]);
  let stdout = "";
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const exited = new Promise<Refusal>((resolve) => {
    child.on("close", (exitCode) => resolve({ exitCode, stderr }));
  });
  const listening = new Promise<number>((resolve) => {
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString();
      const port = /kafka\s+127\.0\.0\.1:(\d+)/i.exec(stdout)?.[1];
      if (port !== undefined) resolve(Number(port));
    });
  });
  return { child, exited, listening, said: () => stdout };
}

/** Resolves when it listens; rejects, with what it said, when it ends before that. */
export async function startBroker(
  directory: string,
  settings: readonly string[] = ageless,
): Promise<BrokerProcess> {
  const { child, exited, listening } = start(directory, settings);
  const port = await Promise.race([listening, exited]);
  if (typeof port !== "number") throw new Error(`the broker did not start: ${port.stderr}`);
  return {
    port,
    end: async (signal) => {
      child.kill(signal);
      return (await exited).exitCode;
    },
  };
}

/** As `startBroker`, with its HTTP port open. */
export async function startBrokerWithHttp(
  directory: string,
  settings: readonly string[] = ageless,
): Promise<BrokerProcess & { readonly url: string }> {
  const { child, exited, listening, said } = start(directory, settings, "0");
  const port = await Promise.race([listening, exited]);
  if (typeof port !== "number") throw new Error(`the broker did not start: ${port.stderr}`);
  const url = await new Promise<string>((resolve) => {
    const look = (): void => {
      const found = /http\s+(http:\/\/127\.0\.0\.1:\d+)/iu.exec(said())?.[1];
      if (found !== undefined) resolve(found);
    };
    child.stdout?.on("data", look);
    look();
  });
  return {
    ...{ port, url },
    end: async (signal) => {
      child.kill(signal);
      return (await exited).exitCode;
    },
  };
}

/** Starts a broker that is to refuse the directory; rejects when it listens instead. */
export async function startRefused(directory: string): Promise<Refusal> {
  const { child, exited, listening } = start(directory, ageless);
  const refusal = await Promise.race([exited, listening]);
  if (typeof refusal !== "number") return refusal;
  child.kill("SIGKILL");
  await exited;
  throw new Error("the broker started");
}
