/**
 * The clients that must notice nothing of an attack on others: a prober whose waits are measured,
 * and librdkafka, which nobody here wrote, producing and consuming in a group.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createTopic, type Subject } from "./subject.ts";
import type { Waits } from "./waits.ts";

export interface ProberReport {
  /** Until a produce with acks=all was answered. */
  readonly produce: Waits;
  /** Until the record was fetched, too. */
  readonly round: Waits;
  /** The same, without the time in which the broker or the prober was ready and got no CPU. */
  readonly served: Waits;
}

export interface ClientReport {
  /** What its error callbacks were told, and deliveries that failed. */
  readonly errors: readonly string[];
  /** `[expected, received]` where a record was lost or came twice. */
  readonly gaps: readonly (readonly [number, number])[];
  /** How often its group was rebalanced since. */
  readonly assignments: number;
  readonly sent: number;
  readonly received: number;
  /** From produce to consume. */
  readonly waits: Waits;
}

export interface Neighbours {
  /** What they saw since they were last asked. Rejects when one has ended. */
  readonly report: () => Promise<{
    readonly prober: ProberReport;
    readonly client: ClientReport | undefined;
  }>;
  /** Ends them; what the client counts in all. */
  readonly stop: () => Promise<ClientReport | undefined>;
}

const probeIntervalMs = 5;

/** A process that answers each line on its standard input with one line of JSON. */
class LineProcess {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: string[] = [];
  readonly #name: string;
  #stderr = "";
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(name: string, file: string, args: readonly string[]) {
    this.#name = name;
    this.#child = spawn(file, args);
    this.#child.stderr.on("data", (chunk: Buffer) => {
      this.#stderr += chunk.toString();
    });
    this.#child.stdin.on("error", (error) => {
      this.#stderr += error.message;
    });
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      this.#lines.push(line);
      this.#wake?.();
    });
    this.#child.on("close", () => {
      this.#ended = true;
      this.#wake?.();
    });
  }

  async line(): Promise<string> {
    for (;;) {
      const line = this.#lines.shift();
      if (line !== undefined) return line;
      if (this.#ended) throw new Error(`${this.#name} ended: ${this.#stderr.slice(-2_000)}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async ask<Report>(): Promise<Report> {
    if (!this.#ended) this.#child.stdin.write("\n");
    return JSON.parse(await this.line()) as Report;
  }

  endInput(): void {
    this.#child.stdin.end();
  }

  async ended(): Promise<void> {
    while (!this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

/** Starts both, or without `python` the prober alone; resolves when they are at work. */
export async function startNeighbours(
  { port, pid }: Pick<Subject, "port" | "pid">,
  python: string | undefined,
): Promise<Neighbours> {
  await createTopic(port, "probed");
  const here = (name: string): string => join(import.meta.dirname, name);
  const proberArgs = [
    here("prober.ts"),
    String(port),
    "probed",
    String(probeIntervalMs),
    String(pid),
  ];
  const prober = new LineProcess("the prober", process.execPath, proberArgs);
  let client: LineProcess | undefined;
  if (python !== undefined) {
    await createTopic(port, "neighbour");
    const clientArgs = ["-B", here("neighbour.py"), `127.0.0.1:${port}`, "neighbour"];
    client = new LineProcess("librdkafka's client", python, clientArgs);
  }
  try {
    await prober.line();
    await client?.line();
  } catch (error) {
    prober.kill();
    client?.kill();
    throw error;
  }
  return {
    report: async () => ({
      prober: await prober.ask<ProberReport>(),
      client: await client?.ask<ClientReport>(),
    }),
    stop: async () => {
      client?.endInput();
      prober.endInput();
      const last =
        client === undefined ? undefined : (JSON.parse(await client.line()) as ClientReport);
      await Promise.all([prober.ended(), client?.ended()]);
      return last;
    },
  };
}
