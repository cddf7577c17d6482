/**
 * Starts and ends the brokers that are measured, each on free loopback ports and with a data
 * directory of its own, one at a time.
 *
 * Kafka gets the JVM options of its own start script (a heap of 1 GB, G1) and its default settings;
 * Millrace is started by the script behind `npm start`, with its defaults. Neither waits for
 * further members before a group's first rebalance.
 */
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Server, startServer } from "../compat/processes.ts";
import { freePort } from "../compat/targets.ts";
import { brokerEnvironment, brokerFlags } from "../../tools/launch.ts";
import { WireClient } from "../fixtures/wire-client.ts";
import type { Bench, Subject } from "./figure.ts";
import { pause } from "./processes.ts";

/** What a figure gives a broker beyond what every figure does. */
export interface Setup {
  /** Configuration by Kafka's names, for a broker that lives in `directory`. */
  readonly settings: (directory: string) => Readonly<Record<string, string>>;
}

const plain: Setup = { settings: () => ({}) };

export interface Place {
  readonly subject: Subject;
  /** Kept between the starts of one broker. */
  readonly directory: string;
  readonly port: number;
  /** Kafka's controller listens here, or Millrace's metrics. */
  readonly secondPort: number;
  readonly settings: readonly (readonly [key: string, value: string])[];
  /** Of Millrace: variables for tests. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface Broker extends Place {
  /** Leads the process group of the broker. */
  readonly pid: number;
  readonly server: Server;
  /** From the start of the process to its first answer to a Metadata request. */
  readonly readyMs: number;
}

/** Kafka reads all that was written since its last checkpoint when it was killed. */
const readyMsMax = 900_000;
const shutdownMsMax = 180_000;
const pollMs = 4;

export const kafkaJvm: readonly string[] = [
  "-Xms1G",
  "-Xmx1G",
  "-server",
  "-XX:+UseG1GC",
  "-XX:MaxGCPauseMillis=20",
  "-XX:InitiatingHeapOccupancyPercent=35",
  "-XX:+ExplicitGCInvokesConcurrent",
  "-Djava.awt.headless=true",
];

function serverProperties({ directory, port, secondPort, settings }: Place): string {
  return `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${secondPort}
listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${secondPort}
advertised.listeners=PLAINTEXT://127.0.0.1:${port}
controller.listener.names=CONTROLLER
log.dirs=${join(directory, "data")}
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
${settings.map(([key, value]) => `${key}=${value}\n`).join("")}`;
}

/** A place for one broker, with nothing in it; give it back with `removePlace`. */
export async function makePlace(
  bench: Bench,
  subject: Subject,
  setup: Setup = plain,
): Promise<Place> {
  const directory = await mkdtemp(join(bench.scratch, `${subject}-`));
  const settings = Object.entries(setup.settings(directory));
  const ports = { port: await freePort(), secondPort: await freePort() };
  const place = { subject, directory, ...ports, settings };
  if (subject === "kafka") {
    await cp(join(bench.kafkaDirectory, "formatted"), join(directory, "data"), { recursive: true });
    await writeFile(join(directory, "server.properties"), serverProperties(place));
  } else {
    await mkdir(join(directory, "data"));
  }
  return place;
}

export async function removePlace(place: Place): Promise<void> {
  await rm(place.directory, { recursive: true, force: true });
}

function commandOf(bench: Bench, place: Place) {
  const { subject, directory, port, secondPort, settings } = place;
  if (subject === "kafka") {
    const classPath = ["-cp", `${bench.kafkaDirectory}/libs/*`];
    const main = ["kafka.Kafka", join(directory, "server.properties")];
    return { file: "java", args: [...kafkaJvm, ...classPath, ...main], cwd: directory, env: {} };
  }
  const profile =
    bench.profiles === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${bench.profiles}`];
  const args = [
    ...profile,
    ...brokerFlags,
    join(bench.repository, "tools/start.mjs"),
    ...["--data", join(directory, "data")],
    ...["--port", String(port), "--http-port", String(secondPort)],
    ...["--set", `millrace.durability=${subject}`],
    ...["--set", "group.initial.rebalance.delay.ms=0"],
    ...settings.flatMap(([key, value]) => ["--set", `${key}=${value}`]),
  ];
  // The cache of compiled modules is the place's own: the first start finds it cold.
  const env = {
    ...brokerEnvironment,
    NODE_COMPILE_CACHE: join(directory, "compile-cache"),
    ...place.environment,
  };
  return { file: process.execPath, args, cwd: directory, env };
}

/** Starts a broker; resolves once it has answered a Metadata request. */
export async function launch(bench: Bench, place: Place): Promise<Broker> {
  const startedAt = performance.now();
  const server = startServer(commandOf(bench, place), join(place.directory, "server.log"));
  for (;;) {
    try {
      await firstMetadata(place.port);
      return { ...place, pid: server.pid, server, readyMs: performance.now() - startedAt };
    } catch (error) {
      const waitedMs = performance.now() - startedAt;
      if (server.ended() || waitedMs > readyMsMax) {
        const tail = server.outputTail();
        await server.stop();
        throw new Error(`${place.subject} did not start:\n${tail}`, { cause: error });
      }
      await pause(pollMs);
    }
  }
}

async function firstMetadata(port: number): Promise<void> {
  const client = await WireClient.open(port);
  try {
    const { brokers } = await client.ask(3, 4, { topics: [], allowAutoTopicCreation: false });
    if (brokers.length === 0) throw new Error("Metadata names no broker yet");
  } finally {
    client.close();
  }
}

/** SIGTERM, and as long as the broker needs; resolves with that time, in milliseconds. */
export async function shutDown(broker: Broker): Promise<number> {
  const startedAt = performance.now();
  process.kill(broker.pid, "SIGTERM");
  while (!broker.server.ended()) {
    if (performance.now() - startedAt > shutdownMsMax) {
      await broker.server.stop();
      throw new Error(`${broker.subject} did not end in ${shutdownMsMax} ms after SIGTERM`);
    }
    await pause(pollMs);
  }
  return performance.now() - startedAt;
}

export async function killNow(broker: Broker): Promise<void> {
  process.kill(broker.pid, "SIGKILL");
  while (!broker.server.ended()) await pause(pollMs);
}

/** A fresh broker for the length of `use`; it is ended, and what it wrote removed, in any case. */
export async function withBroker<Result>(
  bench: Bench,
  subject: Subject,
  use: (broker: Broker) => Promise<Result>,
  setup: Setup = plain,
): Promise<Result> {
  return withPlace(bench, { subject, setup }, (place) => whileRunning(bench, place, use));
}

/** A place for several lives of a broker; removed in any case, with all that was written. */
export async function withPlace<Result>(
  bench: Bench,
  { subject, setup }: { readonly subject: Subject; readonly setup: Setup },
  use: (place: Place) => Promise<Result>,
): Promise<Result> {
  const place = await makePlace(bench, subject, setup);
  try {
    return await use(place);
  } finally {
    await removePlace(place);
  }
}

/** One life of a broker; `use` may end it, and it is ended in any case. */
export async function whileRunning<Result>(
  bench: Bench,
  place: Place,
  use: (broker: Broker) => Promise<Result>,
): Promise<Result> {
  const broker = await launch(bench, place);
  try {
    return await use(broker);
  } catch (error) {
    const logEnd = broker.server.outputTail().slice(-1_500);
    throw new Error(`${place.subject}, whose log ends: ${logEnd}`, { cause: error });
  } finally {
    if (!broker.server.ended()) await broker.server.stop();
  }
}
