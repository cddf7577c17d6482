/**
 * 20 GB in 10,000 partitions, and how long it takes until all of it is served after a restart. Kafka
 * gets 9,000 partitions, because it refuses more in one request, and as much in each.
 */
import { buildBatch } from "@millrace/wire";
import { crc32c } from "@millrace/adapter-node";
import { withClient } from "../../fixtures/wire-client.ts";
import { killNow, launch, type Place, shutDown, whileRunning, withPlace } from "../brokers.ts";
import { alternate, type Bench, type Figure, type Measurements, type Row } from "../figure.ts";
import { appendRaw, rawBatchBytes } from "../raw-load.ts";
import { runAlone } from "../run-alone.ts";
import { inGB, type Scale } from "../scale.ts";
import { createTopic, type TopicShape, waitUntilServed } from "../topics.ts";

const recordBytes = 1_000;

/** A batch of records of 1,000 B each, a little under the largest that Kafka takes. */
function batchOf(): Uint8Array {
  const value = new Uint8Array(recordBytes).fill(120);
  const overheadBytes = 12;
  const count = Math.floor(rawBatchBytes / (recordBytes + overheadBytes));
  const timestamp = Date.now();
  const records = Array.from({ length: count }, () => ({ key: null, value, timestamp }));
  return buildBatch(records, { crc32c });
}

/** How long from the start of the process until every partition told its end; and their sum. */
async function startUntilServed(bench: Bench, place: Place, shape: TopicShape) {
  const broker = await launch(bench, place);
  const connectedAt = performance.now();
  const records = await withClient(broker.port, (client) => waitUntilServed(client, shape));
  const seconds = (broker.readyMs + performance.now() - connectedAt) / 1000;
  return { broker, records, seconds };
}

function expectAll(found: number, wanted: number): void {
  if (found !== wanted) throw new Error(`${found} records of ${wanted} after the restart`);
}

async function measureIn(bench: Bench, place: Place): Promise<Measurements> {
  const { largeRestartBytes, partitions, partitionsOfKafka } = bench.scale;
  const partitionCount = place.subject === "kafka" ? partitionsOfKafka : partitions;
  const shape = { topic: "large", partitionCount };
  const rounds = Math.max(1, Math.round(largeRestartBytes / rawBatchBytes / partitions));
  const batch = batchOf();
  const written = await whileRunning(bench, place, async (broker) => {
    await withClient(broker.port, async (client) => {
      await createTopic(client, shape);
      await waitUntilServed(client, shape);
    });
    const startedAt = performance.now();
    await appendRaw(broker.port, { ...shape, rounds, batchOf: () => batch });
    const seconds = (performance.now() - startedAt) / 1000;
    const records = await withClient(broker.port, (client) => waitUntilServed(client, shape));
    await killNow(broker);
    return { records, "write, MB/s": (rounds * partitionCount * batch.length) / 1e6 / seconds };
  });
  const killed = await startUntilServed(bench, place, shape);
  let shutdownMs = 0;
  try {
    expectAll(killed.records, written.records);
    shutdownMs = await shutDown(killed.broker);
  } finally {
    if (!killed.broker.server.ended()) await killed.broker.server.stop();
  }
  const ended = await startUntilServed(bench, place, shape);
  await killNow(ended.broker);
  expectAll(ended.records, written.records);
  return {
    "write, MB/s": written["write, MB/s"],
    shutdown: shutdownMs / 1000,
    "after SIGKILL": killed.seconds,
    "after SIGTERM": ended.seconds,
  };
}

function rowOf({ largeRestartBytes, partitions }: Scale, measurement: string): Row {
  const what = `${inGB(largeRestartBytes)} in ${partitions.toLocaleString("en")} partitions`;
  return {
    label: `${what}: restart ${measurement}, until all are served`,
    unit: "s",
    ours: { subject: "local", measurement },
    kafkas: measurement,
    aim: { kind: "reported" },
  };
}

export const largeRestart: Figure = {
  name: "restart-large",
  method: ({ largeRestartBytes, partitions, partitionsOfKafka }) =>
    `${inGB(largeRestartBytes)} are written raw, in batches of 1 MB, as many to each of ` +
    `${partitions.toLocaleString("en")} partitions, and to each of Kafka's ` +
    `${partitionsOfKafka.toLocaleString("en")}, which refuses more; right after the last answer comes SIGKILL, so ` +
    "that nothing was given time to be synced. The restart is timed from the spawn of the process " +
    "until ListOffsets has told every partition's end, whose sum has to be what was written; then " +
    "SIGTERM, and the same again.",
  rows: (scale) => [rowOf(scale, "after SIGTERM"), rowOf(scale, "after SIGKILL")],
  measure: (bench) =>
    alternate(bench, ["local", "kafka"], (subject) =>
      withPlace(bench, { subject, setup: { settings: () => ({}) } }, (place) =>
        measureIn(bench, place),
      ),
    ),
};

if (import.meta.main) await runAlone(largeRestart);
