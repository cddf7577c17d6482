/** What an idle connection, and an idle consumer in a group, takes of the broker's memory. */
import { type Broker, withBroker } from "../brokers.ts";
import { startChild } from "../children.ts";
import { WireClient } from "../../fixtures/wire-client.ts";
import { alternate, type Bench, type Figure, type Measurements, type Row } from "../figure.ts";
import { programArguments } from "../java-programs.ts";
import { makeTopic } from "../load.ts";
import { cpuSeconds, pause, residentMemory } from "../processes.ts";
import { runAlone } from "../run-alone.ts";

const groupSize = 5;
const openedAtOnce = 50;
const settleMs = 2_000;
const KB = 1000;

/** Each has asked something, so that whatever a connection allocates when it is used is there. */
async function openAll(port: number, count: number): Promise<readonly WireClient[]> {
  const clients: WireClient[] = [];
  while (clients.length < count) {
    const opening = Array.from({ length: openedAtOnce }, async () => {
      const client = await WireClient.open(port);
      await client.ask(18, 2, {});
      await client.ask(3, 4, { topics: [], allowAutoTopicCreation: false });
      return client;
    });
    clients.push(...(await Promise.all(opening)));
  }
  return clients;
}

async function connectionsCost(bench: Bench, broker: Broker): Promise<number> {
  const { connections } = bench.scale;
  // What the first few bring with them is the broker's, not theirs.
  for (const client of await openAll(broker.port, openedAtOnce)) client.close();
  await pause(settleMs);
  const before = residentMemory(broker.pid).bytes;
  const clients = await openAll(broker.port, connections);
  await pause(settleMs);
  const after = residentMemory(broker.pid).bytes;
  for (const client of clients) client.close();
  return Math.max(0, after - before) / clients.length / KB;
}

interface ConsumersCost {
  readonly consumer: number;
  readonly cpu: number;
}

async function consumersCost(bench: Bench, broker: Broker): Promise<ConsumersCost> {
  const { consumers, idleSeconds } = bench.scale;
  await makeTopic(broker, "idle");
  const before = residentMemory(broker.pid).bytes;
  const program = startChild({
    file: "java",
    args: [
      ...programArguments(bench, "IdleConsumers"),
      ...[`127.0.0.1:${broker.port}`, "idle", String(consumers), String(groupSize)],
    ],
    cwd: bench.scratch,
  });
  try {
    await program.firstLine();
    await pause(settleMs);
    const cpuBefore = cpuSeconds(broker.pid);
    await pause(idleSeconds * 1000);
    const cpu = ((cpuSeconds(broker.pid) - cpuBefore) / idleSeconds) * 1000;
    const after = residentMemory(broker.pid).bytes;
    await program.finish();
    return { consumer: Math.max(0, after - before) / consumers / KB, cpu };
  } finally {
    program.kill();
  }
}

async function measureOne(bench: Bench, broker: Broker): Promise<Measurements> {
  const connection = await connectionsCost(bench, broker);
  return { connection, ...(await consumersCost(bench, broker)) };
}

function rowOf(measurement: string, label: string, unit: Row["unit"]): Row {
  const ours = { subject: "local", measurement } as const;
  return { label, unit, ours, kafkas: measurement, aim: { kind: "reported" } };
}

export const connections: Figure = {
  name: "connections",
  method: ({ connections: count, consumers, idleSeconds }) =>
    `Growth of VmRSS: ${count.toLocaleString("en")} connections that each asked for ApiVersions and ` +
    `Metadata and then wait; then ${consumers} of Kafka's Java consumers ` +
    `(test/bench/java/IdleConsumers.java) in groups of ${groupSize}, each with a partition and two ` +
    `connections, polling a topic without records; and the broker's CPU time over ${idleSeconds} s ` +
    "of that. Kafka's heap is committed from the start, so part of this goes into memory that it " +
    "already has; no growth shows as 0.",
  rows: (scale) => [
    rowOf(
      "connection",
      `memory per idle connection, ${scale.connections.toLocaleString("en")} of them`,
      "KB",
    ),
    rowOf("consumer", `memory per idle consumer in a group, ${scale.consumers} of them`, "KB"),
    rowOf("cpu", "broker CPU per second with those consumers", "ms"),
  ],
  measure: (bench) =>
    alternate(bench, ["kafka", "local"], (subject) =>
      withBroker(bench, subject, (broker) => measureOne(bench, broker)),
    ),
};

if (import.meta.main) await runAlone(connections);
