/** The process of probe.ts, and what it says. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { PartitionWindow } from "./windows.ts";

export interface ProbeOptions {
  readonly ports: readonly number[];
  readonly topic: string;
  readonly partitions: number;
  readonly intervalMs: number;
}

export class ProbeProcess {
  readonly #child: ChildProcess;
  readonly #asked: {
    readonly take: (line: string) => void;
    readonly fail: (error: Error) => void;
  }[] = [];
  readonly #gone: Promise<void>;

  constructor(options: ProbeOptions) {
    const { ports, topic, partitions, intervalMs } = options;
    const path = join(import.meta.dirname, "probe.ts");
    const args = [path, ports.join(","), topic, String(partitions), String(intervalMs)];
    const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#child = child;
    createInterface({ input: child.stdout }).on("line", (line) => this.#asked.shift()?.take(line));
    // Its input breaks when it ends by a failure: the answer that is missing tells it.
    child.stdin.on("error", () => undefined);
    this.#gone = new Promise((resolve) => {
      child.on("close", (code) => {
        for (const { fail } of this.#asked.splice(0)) fail(new Error(`the probe ended: ${code}`));
        resolve();
      });
    });
  }

  /** Ends a window of time and begins the next one. */
  async window(): Promise<readonly PartitionWindow[]> {
    return JSON.parse(await this.#ask("window")) as readonly PartitionWindow[];
  }

  /** How long the partition that waits longest has been without an acknowledgement, in ms. */
  async silenceMs(): Promise<number> {
    return Number(await this.#ask("silence"));
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  async end(): Promise<void> {
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 5_000);
    await this.#gone;
    clearTimeout(timer);
  }

  #ask(line: string): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.#child.exitCode !== null) return reject(new Error("the probe has ended"));
      this.#asked.push({ take: resolve, fail: reject });
      this.#child.stdin?.write(`${line}\n`);
    });
  }
}
