/**
 * Apache Kafka from Maven Central: one process that is broker and controller, on a log directory of
 * its own. The jars and a formatted, empty log directory are kept in the cache; starting it is then
 * one JVM.
 */
import { cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { installed } from "./install.ts";
import { runOrThrow, startServer } from "./processes.ts";
import type { Target } from "./targets.ts";

/** How long compaction rests, on both brokers: the lane waits for it. */
export const CLEANER_BACKOFF_MS = 200;
const CLUSTER_ID = "AAAAAAAAAAAAAAAAAAAAAQ";
/**
 * Short-lived, small JVMs: the quick compiler alone and the plainest collector cost the least CPU
 * here.
 */
export const SMALL_JVM: readonly string[] = [
  "-XX:+UseSerialGC",
  "-XX:TieredStopAtLevel=1",
  "-Xshare:auto",
];

function serverProperties(options: {
  readonly ports: readonly [number, number];
  readonly logDir: string;
}): string {
  const [port, controllerPort] = options.ports;
  return `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${controllerPort}
listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}
advertised.listeners=PLAINTEXT://127.0.0.1:${port}
controller.listener.names=CONTROLLER
log.dirs=${options.logDir}
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.backoff.ms=${CLEANER_BACKOFF_MS}
`;
}

/** The directory with Kafka's jars in `libs/` and a formatted log directory in `formatted/`. */
export function kafkaDistribution(cache: string): Promise<string> {
  return installed({
    cache,
    name: "kafka",
    source: join(import.meta.dirname, "peer"),
    build: async (directory) => {
      const args = [
        "-q",
        "-B",
        "dependency:copy-dependencies",
        `-DoutputDirectory=${directory}/libs`,
      ];
      await runOrThrow({ file: "mvn", args, cwd: directory }, 300_000);
      const properties = join(directory, "format.properties");
      const logDir = join(directory, "formatted");
      await writeFile(properties, serverProperties({ ports: [9092, 9093], logDir }));
      const format = ["format", "-t", CLUSTER_ID, "-c", properties];
      const java = [
        ...SMALL_JVM,
        "-cp",
        `${directory}/libs/*`,
        "kafka.tools.StorageTool",
        ...format,
      ];
      await runOrThrow({ file: "java", args: java, cwd: directory }, 60_000);
    },
  });
}

export async function startKafka(options: {
  readonly cache: string;
  readonly scratch: string;
  readonly ports: readonly [number, number];
}): Promise<Target> {
  const { scratch, ports } = options;
  const distribution = await kafkaDistribution(options.cache);
  const logDir = join(scratch, "data");
  await cp(join(distribution, "formatted"), logDir, { recursive: true });
  await writeFile(join(scratch, "server.properties"), serverProperties({ ports, logDir }));
  const classPath = [
    "-cp",
    `${distribution}/libs/*`,
    "kafka.Kafka",
    join(scratch, "server.properties"),
  ];
  const args = ["-Xms256m", "-Xmx512m", ...SMALL_JVM, ...classPath];
  const server = startServer({ file: "java", args, cwd: scratch }, join(scratch, "server.log"));
  return { kind: "kafka", port: ports[0], server };
}
