/**
 * Clients that write down what they were told (test/durability/load.py), and what the log holds in
 * the end (drain.py), for the checker.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { installed } from "../compat/install.ts";
import { kafkaDistribution, SMALL_JVM } from "../compat/peer.ts";
import { runOrThrow } from "../compat/processes.ts";
import { checkHistory, type Verdict } from "../durability/check-history.ts";

/** A command up to the arguments that both programs take. */
export interface HistoryClient {
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
}

export interface HistoryTarget {
  readonly bootstrap: string;
  readonly topic: string;
  readonly partitions: number;
  readonly group: string;
  readonly recordsPerSecond: number;
  /** Where what it said is left, for whoever looks into an anomaly. */
  readonly folder: string;
}

const durability = join(import.meta.dirname, "../durability");
const drainMsMax = 180_000;
/** Of librdkafka's load, and the linger of Java's: the cores are the brokers'. */
const burstMs = 100;
const compileMsMax = 120_000;

export function librdkafka(python: string): HistoryClient {
  return { name: "librdkafka", file: python, args: ["-B", join(durability, "load.py")] };
}

/** Kafka's own client, of the distribution that the compat lane compares with. */
export async function javaClient(cache: string): Promise<HistoryClient> {
  const distribution = await kafkaDistribution(cache);
  const classPath = `${distribution}/libs/*`;
  const classes = await installed({
    cache,
    name: "cluster-java",
    source: join(import.meta.dirname, "java"),
    build: async (cwd) => {
      const args = ["-cp", classPath, "HistoryLoad.java"];
      await runOrThrow({ file: "javac", args, cwd }, compileMsMax);
    },
  });
  const args = ["-Xmx128m", ...SMALL_JVM, "-cp", `${classes}:${classPath}`, "HistoryLoad"];
  return { name: "java", file: "java", args };
}

export class HistoryLoad {
  readonly name: string;
  readonly #target: HistoryTarget;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: Promise<readonly string[]>;

  constructor(client: HistoryClient, target: HistoryTarget) {
    this.name = client.name;
    this.#target = target;
    const { bootstrap, topic, partitions, group, recordsPerSecond } = target;
    const numbers = [recordsPerSecond, burstMs].map(String);
    const args = [bootstrap, topic, String(partitions), group, ...numbers];
    this.#child = spawn(client.file, [...client.args, ...args]);
    const chunks: Buffer[] = [];
    this.#child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    this.#child.stderr.pipe(process.stderr);
    this.#child.stdin.on("error", () => undefined);
    this.#lines = new Promise((resolve) => {
      this.#child.on("close", () => resolve(splitLines(Buffer.concat(chunks).toString())));
    });
  }

  /** Ends the clients, reads every partition from its beginning, and judges. */
  async judge(python: string): Promise<Verdict> {
    this.#child.stdin.end();
    const history = await this.#lines;
    const { bootstrap, folder, topic, partitions, group } = this.#target;
    writeFileSync(join(folder, `${topic}.history`), history.join("\n"));
    const script = ["-B", join(durability, "drain.py"), bootstrap];
    const args = [...script, topic, String(partitions), group];
    const drained = await runOrThrow({ file: python, args, cwd: durability }, drainMsMax);
    return checkHistory(history, splitLines(drained));
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

function splitLines(text: string): readonly string[] {
  return text.split("\n").filter((line) => line !== "");
}
