/** The bench's load programs in Java, compiled against the clients of Kafka's distribution. */
import { join } from "node:path";
import { installed } from "../compat/install.ts";
import { runOrThrow } from "../compat/processes.ts";
import type { Broker } from "./brokers.ts";
import type { Bench } from "./figure.ts";

const compileMsMax = 120_000;

/** The directory with the compiled classes. */
export function compiledPrograms(cache: string, kafkaDirectory: string): Promise<string> {
  return installed({
    cache,
    name: "bench-java",
    source: join(import.meta.dirname, "java"),
    build: async (directory) => {
      const args = ["-cp", `${kafkaDirectory}/libs/*`, "FixedRate.java", "IdleConsumers.java"];
      await runOrThrow({ file: "javac", args, cwd: directory }, compileMsMax);
    },
  });
}

export function programArguments(bench: Bench, name: string): readonly string[] {
  return ["-Xmx512m", "-cp", `${bench.javaClasses}:${bench.kafkaDirectory}/libs/*`, name];
}

/** Records a second, from a schedule; 0 for as many as go. */
export interface FixedRateLoad {
  readonly topic: string;
  readonly partitionCount: number;
  readonly recordBytes: number;
  readonly recordsPerSecond: number;
  readonly warmUpSeconds: number;
  readonly measuredSeconds: number;
  /** `linger.ms` of the producer. */
  readonly lingerMs: number;
}

export interface FixedRateResult {
  readonly arrivedPerSecond: number;
  /** Milliseconds from the scheduled time of a send to the arrival at the consumer. */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  /** The same to the broker's answer to the send. */
  readonly answeredP99: number;
}

/** Throws when a record was refused or did not arrive. */
export async function runFixedRate(
  bench: Bench,
  broker: Broker,
  load: FixedRateLoad,
): Promise<FixedRateResult> {
  const { warmUpSeconds, measuredSeconds } = load;
  const numbers = [load.partitionCount, load.recordBytes, load.recordsPerSecond];
  const times = [warmUpSeconds, measuredSeconds, load.lingerMs];
  const output = await runOrThrow(
    {
      file: "java",
      args: [
        ...programArguments(bench, "FixedRate"),
        ...[`127.0.0.1:${broker.port}`, load.topic, ...[...numbers, ...times].map(String)],
      ],
      cwd: bench.scratch,
    },
    (warmUpSeconds + measuredSeconds) * 1000 + 120_000,
  );
  return JSON.parse(output) as FixedRateResult;
}
