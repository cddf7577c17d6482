/**
 * A raw client that shows how long partitions can't be written to, in a process of its own:
 *
 *     node probe.ts PORT,PORT… TOPIC PARTITIONS INTERVAL_MS
 *
 * Every INTERVAL_MS it produces one record to each partition with acks=all, without waiting for the
 * answers before. It follows the hints of refused produces (KIP-951), and asks any broker for
 * Metadata where there is none, a connection ends, or nothing is answered for `silentMs`. It has no
 * back-off: what it shows is the cluster's, not a client's.
 *
 * A line `window` on its standard input ends a window of time, and prints as JSON the longest silence
 * of each partition in it (PartitionWindow); `silence` prints the present one in ms. An offset that
 * is acknowledged twice ends the process. It ends when its input does.
 */
import { createInterface } from "node:readline";
import { buildBatch, crc32c, type ProduceResponse } from "@millrace/wire";
import { Leaders } from "./leaders.ts";
import { PipelinedClient } from "./pipelined-client.ts";
import { Windows } from "./windows.ts";

const metadata = 3;
const metadataVersion = 12;
const produce = 0;
const produceVersion = 11;
/** Linger and one put of the journal are over by then. */
const silentMs = 200;
const metadataPauseMs = 20;
const metadataMsMax = 200;
/** Of one connection: a broker that is paused answers none of them. */
const inFlightMax = 500;

const [portList = "", topic = "", partitionCount, interval] = process.argv.slice(2);
const partitions = Array.from({ length: Number(partitionCount) }, (_, at) => at);
const leaders = new Leaders(portList.split(",").map(Number));
const windows = new Windows(partitions.length, performance.now());
const clients = new Map<number, PipelinedClient>();
const acknowledged = partitions.map(() => new Set<number>());
let metadataAskedMs = 0;
let turn = 0;

function clientOf(port: number): PipelinedClient {
  const known = clients.get(port);
  if (known?.isOpen === true) return known;
  const client = new PipelinedClient(port);
  clients.set(port, client);
  return client;
}

/** Of one broker after the other: some of them may be gone, or paused. */
function askMetadata(): void {
  const nowMs = performance.now();
  if (nowMs - metadataAskedMs < metadataPauseMs) return;
  metadataAskedMs = nowMs;
  const { ports } = leaders;
  turn += 1;
  const port = ports[turn % ports.length];
  if (port === undefined) return;
  // A connection of its own: another one's may be full of what a paused broker will answer.
  const client = new PipelinedClient(port);
  const timer = setTimeout(() => client.close(), metadataMsMax);
  const request = { topics: [{ name: topic }], allowAutoTopicCreation: false };
  client
    .ask(metadata, metadataVersion, request)
    .then(
      (response) => leaders.learnMetadata(response),
      // It is gone: another one is asked soon.
      () => undefined,
    )
    .finally(() => {
      clearTimeout(timer);
      client.close();
    });
}

function probe(partition: number): void {
  const leader = leaders.of(partition);
  const port = leader === undefined ? undefined : leaders.portOf(leader.broker);
  if (port === undefined || windows.silenceOf(partition, performance.now()) > silentMs)
    askMetadata();
  if (port === undefined) return;
  const client = clientOf(port);
  if (client.inFlight >= inFlightMax) return;
  const record = { key: null, value: Buffer.from(String(partition)), timestamp: Date.now() };
  const records = buildBatch([record], { crc32c });
  const request = {
    ...{ transactionalId: null, acks: -1, timeoutMs: 30_000 },
    topicData: [{ name: topic, partitionData: [{ index: partition, records }] }],
  };
  client.ask(produce, produceVersion, request).then(
    (response) => answered(partition, response),
    () => askMetadata(),
  );
}

function answered(partition: number, { nodeEndpoints, responses }: ProduceResponse): void {
  const answer = responses[0]?.partitionResponses[0];
  if (answer === undefined) throw new Error("a produce was answered without its partition");
  if (answer.errorCode !== 0) {
    if (!leaders.learnHint(partition, answer.currentLeader, nodeEndpoints)) askMetadata();
    return;
  }
  const offsets = acknowledged[partition];
  if (offsets?.has(answer.baseOffset) === true) {
    throw new Error(`${topic}-${partition}: offset ${answer.baseOffset} was acknowledged twice`);
  }
  offsets?.add(answer.baseOffset);
  windows.acked(partition, performance.now());
}

askMetadata();
const ticks = setInterval(() => {
  for (const partition of partitions) probe(partition);
}, Number(interval));
const input = createInterface({ input: process.stdin });
input.on("line", (line) => {
  const nowMs = performance.now();
  const told =
    line === "window"
      ? windows.next(nowMs, (partition) => leaders.of(partition)?.broker)
      : Math.min(windows.silenceMs(nowMs), Number.MAX_SAFE_INTEGER);
  process.stdout.write(`${JSON.stringify(told)}\n`);
});
input.on("close", () => {
  clearInterval(ticks);
  for (const client of clients.values()) client.close();
});
