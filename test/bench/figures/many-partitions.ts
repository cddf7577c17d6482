/**
 * 100,000 partitions in one broker: what they take in memory, what Metadata of all of them takes,
 * and whether another client notices.
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
import { appendToEach, createTopic, waitUntilServed } from "../topics.ts";

const askedTimes = 10;
const settleMs = 1_000;
const MB = 1e6;

interface MetadataOfAll {
  readonly firstMs: number;
  readonly lastMs: number;
  readonly bytes: number;
}

/** The answers are taken as bytes: to decode them would be this process's time, not the broker's. */
async function askForAll(client: WireClient): Promise<MetadataOfAll> {
  const times: number[] = [];
  let bytes = 0;
  for (let asked = 0; asked < askedTimes; asked += 1) {
    const request = client.encode(3, 12, { topics: null });
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

async function measureOne(bench: Bench, broker: Broker): Promise<Measurements> {
  const { manyTopics, manyTopicsPartitions, manyTopicsWritten } = bench.scale;
  return withClient(broker.port, async (client) => {
    await createTopic(client, { topic: "probed", partitionCount: 1 });
    await waitUntilServed(client, { topic: "probed", partitionCount: 1 });
    const before = residentMemory(broker.pid).bytes;
    const createdAt = performance.now();
    for (let topic = 0; topic < manyTopics; topic += 1) {
      await createTopic(client, { topic: `many-${topic}`, partitionCount: manyTopicsPartitions });
    }
    const create = (performance.now() - createdAt) / 1000;
    await pause(settleMs);
    const memory = (residentMemory(broker.pid).bytes - before) / MB;
    let metadata: MetadataOfAll = { firstMs: Number.NaN, lastMs: Number.NaN, bytes: 0 };
    const onMetadata = await probing(broker, "probed", async () => {
      metadata = await askForAll(client);
    });
    const counted = await countPartitions(client);
    if (counted < manyTopics * manyTopicsPartitions) throw new Error(`only ${counted} partitions`);
    let produce = Number.NaN;
    const onProduce = await probing(broker, "probed", async () => {
      produce = await writeToSome(client, manyTopicsWritten, manyTopics);
    });
    return {
      create,
      memory,
      metadata: metadata.firstMs,
      "metadata again": metadata.lastMs,
      "metadata size": metadata.bytes / MB,
      produce,
      "stall on metadata": onMetadata.max,
      "stall on produce": onProduce.max,
    };
  });
}

/** One record to each, spread over all the topics, a request a topic; in milliseconds. */
async function writeToSome(client: WireClient, count: number, topics: number): Promise<number> {
  const batch = buildBatch([{ key: null, value: new Uint8Array(100) }], { crc32c });
  const partitionCount = count / topics;
  const startedAt = performance.now();
  for (let topic = 0; topic < topics; topic += 1) {
    await appendToEach(client, { topic: `many-${topic}`, partitionCount }, batch);
  }
  return performance.now() - startedAt;
}

const reported: Aim = { kind: "reported" };
const unnoticed: Aim = { kind: "absolute", max: 50 };

function rowsOf({ manyTopics, manyTopicsPartitions, manyTopicsWritten }: Scale): readonly Row[] {
  const count = (manyTopics * manyTopicsPartitions).toLocaleString("en");
  const row = (measurement: string, label: string, unit: Unit, aim: Aim): Row => ({
    label: `${count} partitions: ${label}`,
    unit,
    ours: { subject: "local", measurement },
    kafkas: undefined,
    aim,
  });
  const written = manyTopicsWritten.toLocaleString("en");
  return [
    row("memory", "resident memory that they add", "MB", reported),
    row("create", "create", "s", reported),
    row("metadata", "Metadata of all, the first time", "ms", reported),
    row("metadata again", "Metadata of all, again", "ms", reported),
    row("metadata size", "size of that answer", "MB", reported),
    row("stall on metadata", "longest wait of another client for it", "ms", unnoticed),
    row("produce", `a record to each of ${written}`, "ms", reported),
    row("stall on produce", "longest wait of another client for that", "ms", reported),
  ];
}

export const manyPartitions: Figure = {
  name: "many-partitions",
  method: ({ manyTopics, manyTopicsPartitions, manyTopicsWritten }) =>
    `${manyTopics} topics of ${manyTopicsPartitions.toLocaleString("en")} partitions, on Millrace ` +
    `alone. Metadata of all of them is asked for ${askedTimes} times in a row; one record is ` +
    `written to each of ${manyTopicsWritten.toLocaleString("en")} partitions, acks=all, a request ` +
    "a topic. Meanwhile a client in a process of its own asks for an end offset every 5 ms: its " +
    "longest wait.",
  rows: rowsOf,
  measure: (bench) =>
    alternate(bench, ["local"], (subject) =>
      withBroker(bench, subject, (broker) => measureOne(bench, broker)),
    ),
};

if (import.meta.main) await runAlone(manyPartitions);
