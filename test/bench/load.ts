/**
 * Load by Apache Kafka's own tools, ProducerPerformance and ConsumerPerformance, one JVM each, so
 * that the load is nobody's making but Kafka's. What a tool says it did is checked against the
 * broker: a load that was not applied is an error, not a measurement.
 */
import { runOrThrow } from "../compat/processes.ts";
import type { Broker } from "./brokers.ts";
import { withClient } from "../fixtures/wire-client.ts";
import type { Bench } from "./figure.ts";
import { cpuSeconds, pause } from "./processes.ts";
import { createTopic, waitUntilServed } from "./topics.ts";

export const toolJvm = "-Xmx512m";
export const producerSettings: readonly string[] = ["acks=all", "batch.size=131072", "linger.ms=5"];
export const topicPartitions = 6;

const toolMsMax = 900_000;
/** Work that a broker puts off (flushes, garbage) has so long to show in its CPU time. */
const settleMs = 1_000;

export interface ProduceLoad {
  readonly topic: string;
  readonly recordBytes: number;
  readonly totalBytes: number;
  readonly recordsPerSecond?: number;
  readonly priority?: Priority;
}

function recordsIn(load: { readonly totalBytes: number; readonly recordBytes: number }): number {
  return Math.round(load.totalBytes / load.recordBytes);
}

/**
 * Gives the broker the cores whenever it wants them, as if the load came from another machine. A
 * tool is a session of its own; where the kernel weighs sessions (autogroup), a process's own nice
 * value says nothing to others.
 */
const behindBroker =
  '[ ! -w /proc/self/autogroup ] || echo 19 > /proc/self/autogroup; exec nice -n 19 "$@"';

type Priority = "like the broker" | "behind the broker";

function tool(
  bench: Bench,
  name: string,
  args: readonly string[],
  priority: Priority,
): Promise<string> {
  const classPath = ["-cp", `${bench.kafkaDirectory}/libs/*`, `org.apache.kafka.tools.${name}`];
  const command = ["java", toolJvm, ...classPath, ...args];
  const [file = "", ...rest] =
    priority === "like the broker" ? command : ["sh", "-c", behindBroker, "sh", ...command];
  return runOrThrow({ file, args: rest, cwd: bench.scratch }, toolMsMax);
}

export function producerArguments(broker: Broker, load: ProduceLoad): readonly string[] {
  const settings = [`bootstrap.servers=127.0.0.1:${broker.port}`, ...producerSettings];
  return [
    ...["--topic", load.topic, "--num-records", String(recordsIn(load))],
    ...["--record-size", String(load.recordBytes)],
    ...["--throughput", String(load.recordsPerSecond ?? -1)],
    ...["--command-property", ...settings],
  ];
}

export async function makeTopic(broker: Broker, topic: string): Promise<void> {
  await withClient(broker.port, async (client) => {
    await createTopic(client, { topic, partitionCount: topicPartitions });
    await waitUntilServed(client, { topic, partitionCount: topicPartitions });
  });
}

function endOffsets(broker: Broker, topic: string): Promise<number> {
  return withClient(broker.port, (client) =>
    waitUntilServed(client, { topic, partitionCount: topicPartitions }),
  );
}

export interface Loaded {
  readonly bytes: number;
  /** From the start of the tool's JVM to its end. */
  readonly seconds: number;
  /** By the tool's own clock: from its first send, or fetch, to its last; 10⁶ bytes a second. */
  readonly megabytesPerSecond: number;
}

const mebibyte = 1024 * 1024;

/** Idempotent, acks=all, uncompressed, into a topic of `topicPartitions` that exists. */
export async function produce(bench: Bench, broker: Broker, load: ProduceLoad): Promise<Loaded> {
  const before = await endOffsets(broker, load.topic);
  const startedAt = performance.now();
  const args = producerArguments(broker, load);
  const output = await tool(bench, "ProducerPerformance", args, load.priority ?? "like the broker");
  const seconds = (performance.now() - startedAt) / 1000;
  const records = recordsIn(load);
  const summary = output.trimEnd().split("\n").at(-1) ?? "";
  const sent = Number(/^(\d+) records sent/.exec(summary)?.[1]);
  const mebibytesPerSecond = Number(/\(([\d.]+) MB\/sec\)/.exec(summary)?.[1]);
  const stored = (await endOffsets(broker, load.topic)) - before;
  if (sent !== records || stored !== records || !(mebibytesPerSecond > 0)) {
    throw new Error(`${records} records to produce, ${sent} sent, ${stored} stored: ${output}`);
  }
  const megabytesPerSecond = (mebibytesPerSecond * mebibyte) / 1e6;
  return { bytes: records * load.recordBytes, seconds, megabytesPerSecond };
}

export interface ConsumeLoad {
  readonly topic: string;
  readonly recordBytes: number;
  readonly totalBytes: number;
  readonly priority?: Priority;
}

/** One consumer of all partitions, in a group of its own, from the beginning. */
export async function consume(bench: Bench, broker: Broker, load: ConsumeLoad): Promise<Loaded> {
  const records = recordsIn(load);
  const startedAt = performance.now();
  const args = [
    ...["--bootstrap-server", `127.0.0.1:${broker.port}`, "--topic", load.topic],
    ...["--num-records", String(records), "--timeout", "60000", "--hide-header"],
  ];
  const output = await tool(bench, "ConsumerPerformance", args, load.priority ?? "like the broker");
  const seconds = (performance.now() - startedAt) / 1000;
  // start, end, MB, MB/s, records, records/s, ms of rebalances, ms of fetches, …
  const fields = output.trimEnd().split("\n").at(-1)?.split(", ") ?? [];
  const [consumed, fetchMs] = [Number(fields[4]), Number(fields[7])];
  if (!(consumed >= records && fetchMs > 0)) {
    throw new Error(`${records} records to consume: ${output}`);
  }
  const bytes = consumed * load.recordBytes;
  return { bytes, seconds, megabytesPerSecond: bytes / 1e3 / fetchMs };
}

/** The broker's CPU seconds during a load, and shortly after it. */
export async function cpuDuring<Result>(
  broker: Broker,
  work: () => Promise<Result>,
): Promise<{ readonly cpuSeconds: number; readonly result: Result }> {
  const before = cpuSeconds(broker.pid);
  const result = await work();
  await pause(settleMs);
  return { cpuSeconds: cpuSeconds(broker.pid) - before, result };
}

export function perGB(seconds: number, bytes: number): number {
  return seconds / (bytes / 1e9);
}

/** What both brokers get before they are measured: writes of two sizes, and reads of them. */
export async function warmUp(bench: Bench, broker: Broker, bytes?: number): Promise<void> {
  const total = bytes ?? bench.scale.warmUpBytes;
  const parts = [
    { topic: "warm-up-1024", recordBytes: 1024, totalBytes: total * 0.8 },
    { topic: "warm-up-100", recordBytes: 100, totalBytes: total * 0.2 },
  ];
  for (const part of parts) {
    await makeTopic(broker, part.topic);
    await produce(bench, broker, part);
    await consume(bench, broker, part);
  }
}
