/**
 * 100,000 partitions in one broker, in a hundred topics and in one: what they take in memory, what
 * Metadata of all of them takes, a produce request to 1,000 of them, and whether another client
 * notices.
 */
import { buildBatch, crc32c } from "@millrace/wire";
import { type Broker, withBroker } from "../brokers.ts";
import { probing } from "../children.ts";
import { type WireClient, withClient } from "../../fixtures/wire-client.ts";
import {
  type Aim,
  alternate,
  type Bench,
  type Figure,
  type Measurements,
  type Row,
  type Unit,
} from "../figure.ts";
import { pause, residentMemory } from "../processes.ts";
import { runAlone } from "../run-alone.ts";
import type { Scale } from "../scale.ts";
import { createTopic, deleteTopic, waitUntilServed } from "../topics.ts";

const askedTimes = 10;
const settleMs = 1_000;
const MB = 1e6;

interface Asked {
  readonly firstMs: number;
  readonly lastMs: number;
  readonly bytes: number;
}

/** The answers are taken as bytes: to decode them would be this process's time, not the broker's. */
async function askFor(client: WireClient, topics: readonly string[] | null): Promise<Asked> {
  const times: number[] = [];
  let bytes = 0;
  for (let asked = 0; asked < askedTimes; asked += 1) {
    const named = topics === null ? null : topics.map((name) => ({ name }));
    const request = client.encode(3, 12, { topics: named });
    const startedAt = performance.now();
    bytes = (await client.exchange(request)).length;
    times.push(performance.now() - startedAt);
  }
  return { firstMs: times[0] ?? Number.NaN, lastMs: times.at(-1) ?? Number.NaN, bytes };
}

async function countPartitions(client: WireClient): Promise<number> {
  const { topics } = await client.ask(3, 12, { topics: null });
  return topics
    .filter(({ isInternal }) => !isInternal)
    .reduce((sum, topic) => sum + topic.partitions.length, 0);
}

/** All partitions of a topic, a page after the other, by DescribeTopicPartitions. */
async function pageThrough(client: WireClient, topicName: string): Promise<number> {
  let described = 0;
  for (;;) {
    const cursor = described === 0 ? null : { topicName, partitionIndex: described };
    const asked = { topics: [{ name: topicName }], responsePartitionLimit: 2_000, cursor };
    const { topics, nextCursor } = await client.ask(75, 0, asked);
    described += topics.reduce((sum, { partitions }) => sum + partitions.length, 0);
    if (nextCursor === null) return described;
  }
}

interface Partitions {
  readonly topics: readonly string[];
  readonly partitionCount: number;
}

/** Creates them, asks for them in each way, and writes to some; each measured with its stall. */
async function measureShape(
  broker: Broker,
  client: WireClient,
  made: { readonly shape: Partitions; readonly written: number },
): Promise<Measurements> {
  const { topics, partitionCount } = made.shape;
  const before = residentMemory(broker.pid).bytes;
  const createdAt = performance.now();
  let create = Number.NaN;
  const onCreate = await probing(broker, "probed", async () => {
    for (const topic of topics) await createTopic(client, { topic, partitionCount });
    create = (performance.now() - createdAt) / 1000;
  });
  await pause(settleMs);
  const memory = (residentMemory(broker.pid).bytes - before) / MB;
  let asked: Asked = { firstMs: Number.NaN, lastMs: Number.NaN, bytes: 0 };
  const onMetadata = await probing(broker, "probed", async () => {
    asked = await askFor(client, null);
    await askFor(client, topics);
  });
  const counted = await countPartitions(client);
  if (counted < topics.length * partitionCount) throw new Error(`only ${counted} partitions`);
  const onPages = await probing(broker, "probed", async () => {
    const described = await pageThrough(client, topics[0] ?? "");
    if (described !== partitionCount) throw new Error(`only ${described} described`);
  });
  let produce = Number.NaN;
  const onProduce = await probing(broker, "probed", async () => {
    produce = await writeToSome(client, made.shape, made.written);
  });
  return {
    create,
    memory,
    metadata: asked.firstMs,
    "metadata again": asked.lastMs,
    "metadata size": asked.bytes / MB,
    produce,
    "stall on create": onCreate.max,
    "stall on metadata": Math.max(onMetadata.max, onPages.max),
    "stall on produce": onProduce.max,
  };
}

function measureOne(bench: Bench, broker: Broker): Promise<Measurements> {
  const { manyTopics, manyTopicsPartitions, manyTopicsWritten: written } = bench.scale;
  return withClient(broker.port, async (client) => {
    await createTopic(client, { topic: "probed", partitionCount: 1 });
    await waitUntilServed(client, { topic: "probed", partitionCount: 1 });
    const spread = {
      topics: Array.from({ length: manyTopics }, (_, index) => `many-${index}`),
      partitionCount: manyTopicsPartitions,
    };
    const values = await measureShape(broker, client, { shape: spread, written });
    for (const topic of spread.topics) await deleteTopic(client, topic);
    const alone = { topics: ["huge"], partitionCount: manyTopics * manyTopicsPartitions };
    const hugeValues = await measureShape(broker, client, { shape: alone, written });
    const named = Object.entries(hugeValues).map(([name, value]) => [`huge ${name}`, value]);
    return { ...values, ...Object.fromEntries(named) };
  });
}

/** One record to each of so many partitions, in one request; in milliseconds. */
async function writeToSome(
  client: WireClient,
  { topics, partitionCount }: Partitions,
  count: number,
): Promise<number> {
  const batch = buildBatch([{ key: null, value: new Uint8Array(100) }], { crc32c });
  const each = Math.min(partitionCount, Math.ceil(count / topics.length));
  const startedAt = performance.now();
  const { responses } = await client.ask(0, 9, {
    acks: -1,
    timeoutMs: 60_000,
    topicData: topics.map((name) => ({
      name,
      partitionData: Array.from({ length: each }, (_, index) => ({ index, records: batch })),
    })),
  });
  const answers = responses.flatMap((response) => response.partitionResponses);
  const refused = answers.find(({ errorCode }) => errorCode !== 0);
  if (answers.length < count || refused !== undefined) {
    throw new Error(`${answers.length} of ${count} answered, ${JSON.stringify(refused)}`);
  }
  return performance.now() - startedAt;
}

const reported: Aim = { kind: "reported" };
const unnoticed: Aim = { kind: "absolute", max: 50 };

function rowsOf({ manyTopics, manyTopicsPartitions, manyTopicsWritten }: Scale): readonly Row[] {
  const count = (manyTopics * manyTopicsPartitions).toLocaleString("en");
  const written = manyTopicsWritten.toLocaleString("en");
  const shapes = [
    { prefix: "", where: `${count} partitions in ${manyTopics} topics` },
    { prefix: "huge ", where: `${count} partitions in one topic` },
  ];
  return shapes.flatMap(({ prefix, where }) => {
    const row = (measurement: string, label: string, unit: Unit, aim: Aim): Row => ({
      label: `${where}: ${label}`,
      unit,
      ours: { subject: "local", measurement: `${prefix}${measurement}` },
      kafkas: undefined,
      aim,
    });
    return [
      row("memory", "resident memory that they add", "MB", reported),
      row("create", "create", "s", reported),
      row("stall on create", "longest wait of another client for that", "ms", unnoticed),
      row("metadata", "Metadata of all, the first time", "ms", reported),
      row("metadata again", "Metadata of all, again", "ms", reported),
      row("metadata size", "size of that answer", "MB", reported),
      row("stall on metadata", "longest wait of another client for it", "ms", unnoticed),
      row("produce", `a record to each of ${written}`, "ms", reported),
      row("stall on produce", "longest wait of another client for that", "ms", reported),
    ];
  });
}

export const manyPartitions: Figure = {
  name: "many-partitions",
  method: ({ manyTopics, manyTopicsPartitions, manyTopicsWritten }) =>
    `${manyTopics} topics of ${manyTopicsPartitions.toLocaleString("en")} partitions, and after ` +
    "these were deleted one topic of as many partitions, on Millrace alone. Metadata of all of " +
    `them is asked for ${askedTimes} times in a row, by no name and by their names; then ` +
    "DescribeTopicPartitions of a topic, page after page; then one record is written to each of " +
    `${manyTopicsWritten.toLocaleString("en")} partitions, acks=all, in one request. Meanwhile a ` +
    "client in a process of its own asks for an end offset every 5 ms: its longest wait.",
  rows: rowsOf,
  measure: (bench) =>
    alternate(bench, ["local"], (subject) =>
      withBroker(bench, subject, (broker) => measureOne(bench, broker)),
    ),
};

if (import.meta.main) await runAlone(manyPartitions);
