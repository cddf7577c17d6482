/**
 * Clients that come and go, spoken raw: what no well-behaved library does, over and over. Each task
 * repeats at its own pace until it is stopped; one that fails in another way than it means to is
 * told to `failed`.
 */
import { connect, type Socket } from "node:net";
import type { Random } from "@millrace/core";
import { buildBatch, crc32c } from "@millrace/wire";
import { createTopic, deleteTopic, waitUntilServed, appendToEach } from "../bench/topics.ts";
import { WireClient, withClient } from "../fixtures/wire-client.ts";

export interface ChurnOptions {
  readonly port: number;
  readonly httpPort: number;
  readonly random: Random;
  /** The topic that the main load uses at the moment. */
  readonly topic: () => string;
  readonly failed: (reason: string) => void;
}

export interface Churn {
  /** How often each task ran. */
  readonly counts: ReadonlyMap<string, number>;
  /** Resolves when every task has ended and every connection of theirs is closed. */
  stop(): Promise<void>;
}

const idleConnections = 50;
const ghostSessionMs = 6_000;

export function startChurn(options: ChurnOptions): Churn {
  const counts = new Map<string, number>();
  const idle: Socket[] = [];
  const stopping = { now: false };
  const repeat = async (
    name: string,
    everyMs: number,
    task: () => Promise<void>,
  ): Promise<void> => {
    while (!stopping.now) {
      await pause(everyMs / 2 + options.random.below(everyMs));
      try {
        await task();
        counts.set(name, (counts.get(name) ?? 0) + 1);
      } catch (error) {
        options.failed(`${name}: ${String(error)}`);
      }
    }
  };
  const tasks = [
    repeat("topic created, written, deleted", 2_000, () => comeAndGo(options)),
    repeat("metadata and descriptions asked for", 500, () => describe(options)),
    repeat("fetch session opened and abandoned", 150, () => abandonSession(options)),
    repeat("producer killed in the middle of a request", 300, () => dieMidRequest(options)),
    repeat("short connection", 100, () => saveHello(options.port)),
    repeat("group member that vanishes", 1_000, () => vanishFromGroup(options)),
    repeat("idle connection replaced", 500, () => replaceIdle(options.port, idle)),
    repeat("metrics scraped", 1_000, () => scrape(options.httpPort)),
  ];
  return {
    counts,
    stop: async () => {
      stopping.now = true;
      await Promise.all(tasks);
      for (const socket of idle) socket.destroy();
    },
  };
}

async function comeAndGo({ port, random }: ChurnOptions): Promise<void> {
  const topic = `brief-${random.below(2 ** 32)}`;
  const shape = { topic, partitionCount: 1 + random.below(20) };
  const value = new Uint8Array(100 + random.below(2_000));
  await withClient(port, async (client) => {
    await createTopic(client, shape);
    await appendToEach(client, shape, buildBatch([{ key: null, value }], { crc32c }));
    const records = await waitUntilServed(client, shape);
    if (records !== shape.partitionCount) throw new Error(`${records} records of a brief topic`);
    await deleteTopic(client, topic);
  });
}

async function describe({ port, topic }: ChurnOptions): Promise<void> {
  await withClient(port, async (client) => {
    const { brokers } = await client.ask(3, 8, { topics: null, allowAutoTopicCreation: false });
    if (brokers.length !== 1) throw new Error("Metadata without a broker");
    await client.ask(16, 4, { statesFilter: [] });
    const resources = [{ resourceType: 2, resourceName: topic(), configurationKeys: null }];
    await client.ask(32, 2, { resources, includeSynonyms: true });
    await client.ask(60, 0, { includeClusterAuthorizedOperations: false });
  });
}

/** The first request makes a session, the second uses it, and nobody ends it. */
async function abandonSession({ port, topic }: ChurnOptions): Promise<void> {
  const partition = (index: number) => ({
    ...{ partition: index, fetchOffset: 0, partitionMaxBytes: 10_000 },
  });
  const asked = { topic: topic(), partitions: [0, 1, 2].map(partition) };
  const bounds = { maxWaitMs: 0, minBytes: 1, maxBytes: 50_000 };
  await withClient(port, async (client) => {
    const first = { ...bounds, sessionId: 0, sessionEpoch: 0, topics: [asked] };
    const { errorCode, sessionId } = await client.ask(1, 11, {
      ...first,
      forgottenTopicsData: [],
    });
    if (errorCode !== 0) throw new Error(`no session: ${errorCode}`);
    const second = { ...bounds, sessionId, sessionEpoch: 1, topics: [] };
    await client.ask(1, 11, { ...second, forgottenTopicsData: [] });
  });
}

async function dieMidRequest({ port, topic, random }: ChurnOptions): Promise<void> {
  const client = await WireClient.open(port);
  const records = buildBatch([{ key: null, value: new Uint8Array(500_000) }], { crc32c });
  const request = client.encode(0, 9, {
    ...{ acks: -1, timeoutMs: 1_000 },
    topicData: [{ name: topic(), partitionData: [{ index: 0, records }] }],
  });
  // Never the whole of it: the record must not be in the topic.
  const sent = request.subarray(0, 1 + random.below(request.length - 1));
  client.exchange(sent).catch(() => {
    // It is we who end the connection.
  });
  await pause(random.below(50));
  client.close();
}

async function saveHello(port: number): Promise<void> {
  await withClient(port, async (client) => {
    const { apiKeys } = await client.ask(18, 2, {});
    if (apiKeys.length === 0) throw new Error("ApiVersions lists nothing");
  });
}

/** Joins, becomes the leader, and is never heard of again: its session has to end it. */
async function vanishFromGroup({ port, random }: ChurnOptions): Promise<void> {
  const join = {
    groupId: `ghosts-${random.below(20)}`,
    ...{ sessionTimeoutMs: ghostSessionMs, rebalanceTimeoutMs: ghostSessionMs },
    ...{ memberId: "", protocolType: "consumer" },
    protocols: [{ name: "range", metadata: new Uint8Array(6) }],
  };
  const client = await WireClient.open(port);
  // With other ghosts in the group the answer takes as long as they take to be missed.
  client.ask(11, 3, join).catch(() => {
    // It is we who end the connection.
  });
  await pause(50 + random.below(200));
  client.close();
}

async function replaceIdle(port: number, idle: Socket[]): Promise<void> {
  while (idle.length < idleConnections) idle.push(await openSocket(port));
  idle.shift()?.destroy();
}

function openSocket(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => resolve(socket));
    socket.on("error", reject);
  });
}

async function scrape(port: number): Promise<void> {
  const headers = { connection: "close" };
  const response = await fetch(`http://127.0.0.1:${port}/metrics`, { headers });
  if (!(await response.text()).includes("millrace_connections")) throw new Error("no metrics");
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
