/** A broker on a directory and a port that outlive it. It is ended by its process id. */
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { join } from "node:path";

const main = join(import.meta.dirname, "../../../broker-fargate/src/main.ts");

export interface MortalBroker {
  /** Sends the signal, and resolves when the process is gone. */
  readonly end: (signal: "SIGKILL" | "SIGTERM") => Promise<void>;
}

/** Resolves when it listens. */
export async function startMortal(
  directory: string,
  port: number,
  settings: readonly string[] = [],
): Promise<MortalBroker> {
  return start(["--data", directory, "--port", `${port}`], settings);
}

/** As `startMortal`, of a broker whose clients are told another port than it listens at. */
export async function startBehind(
  directory: string,
  ports: { readonly listens: number; readonly told: number },
): Promise<MortalBroker> {
  return start(
    ["--data", directory],
    [
      `listeners=PLAINTEXT://127.0.0.1:${ports.listens}`,
      `advertised.listeners=PLAINTEXT://127.0.0.1:${ports.told}`,
    ],
  );
}

async function start(flags: readonly string[], settings: readonly string[]): Promise<MortalBroker> {
  const sets = settings.flatMap((setting) => ["--set", setting]);
  const child = spawn(process.execPath, [main, ...flags, "--http-port", "off", ...sets], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const gone = new Promise<void>((resolve) => child.on("close", () => resolve()));
  const ready = new Promise<"ready">((resolve) => {
    const hear = (chunk: Buffer): void => {
      output += chunk.toString();
      if (/kafka\s+127\.0\.0\.1:/iu.test(output)) resolve("ready");
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
  });
  if ((await Promise.race([ready, gone])) !== "ready") {
    throw new Error(`the broker did not start:\n${output}`);
  }
  return {
    end: async (signal) => {
      child.kill(signal);
      await gone;
    },
  };
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" ? (address?.port ?? 0) : 0));
    });
  });
}
