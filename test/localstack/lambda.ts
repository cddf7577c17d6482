import { type ChildProcess, fork } from "node:child_process";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import type { Invocation, Outcome } from "./lambda-host.ts";

/** A function as it is deployed, in a process with just its own environment. */
export class LambdaFunction {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (outcome: Outcome) => void>();
  readonly #timeoutMs: number;
  #invocations = 0;

  constructor(options: {
    readonly bundle: string;
    readonly environment: Readonly<Record<string, string>>;
    readonly timeoutMs: number;
    readonly logFile: string;
  }) {
    const { bundle, environment, logFile, timeoutMs } = options;
    this.#timeoutMs = timeoutMs;
    this.#child = fork(join(import.meta.dirname, "lambda-host.ts"), [bundle], {
      env: { ...environment, PATH: process.env["PATH"] ?? "" },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (chunk: Buffer) => appendFileSync(logFile, chunk));
    }
    this.#child.on("message", (outcome: Outcome) => {
      this.#waiting.get(outcome.id)?.(outcome);
      this.#waiting.delete(outcome.id);
    });
    this.#child.on("exit", (code) => {
      for (const [id, end] of this.#waiting) end({ id, ok: false, error: `it ended (${code})` });
    });
  }

  /** Rejects with what the handler threw. */
  async invoke(event: unknown): Promise<unknown> {
    this.#invocations += 1;
    const invocation: Invocation = { id: this.#invocations, event, timeoutMs: this.#timeoutMs };
    const outcome = await new Promise<Outcome>((resolve) => {
      this.#waiting.set(invocation.id, resolve);
      this.#child.send(invocation);
    });
    if (!outcome.ok) throw new Error(outcome.error);
    return outcome.value;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await gone;
  }
}
