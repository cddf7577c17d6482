/**
 * One topic of 10,000 partitions: to create it, and to have all of it served again after SIGTERM
 * and after SIGKILL. Kafka gets 9,000, because it refuses more in one request.
 */
import { buildBatch, crc32c } from "@millrace/wire";
import { killNow, launch, makePlace, type Place, removePlace, shutDown } from "../brokers.ts";
import { withClient } from "../../fixtures/wire-client.ts";
import { alternate, type Bench, type Figure, type Measurements, type Row } from "../figure.ts";
import { runAlone } from "../run-alone.ts";
import type { Scale } from "../scale.ts";
import { appendToEach, createTopic, type TopicShape, waitUntilServed } from "../topics.ts";

/** The time from the start of the process, which is `readyMs` before the client connects. */
async function startUntilServed(bench: Bench, place: Place, shape: TopicShape) {
  const broker = await launch(bench, place);
  const connectedAt = performance.now();
  await withClient(broker.port, (client) => waitUntilServed(client, shape));
  return { broker, seconds: (broker.readyMs + performance.now() - connectedAt) / 1000 };
}

async function measureIn(bench: Bench, place: Place): Promise<Measurements> {
  const { scale } = bench;
  const isKafka = place.subject === "kafka";
  const partitionCount = isKafka ? scale.partitionsOfKafka : scale.partitions;
  const shape = { topic: "wide", partitionCount };
  const first = await launch(bench, place);
  try {
    const created = await withClient(first.port, async (client) => {
      const startedAt = performance.now();
      await createTopic(client, shape);
      const answered = (performance.now() - startedAt) / 1000;
      await waitUntilServed(client, shape);
      return { create: answered, "create and serve": (performance.now() - startedAt) / 1000 };
    });
    const shutdown = (await shutDown(first)) / 1000;
    const second = await startUntilServed(bench, place, shape);
    try {
      const batch = buildBatch([{ key: null, value: new Uint8Array(100) }], { crc32c });
      const written = { ...shape, partitionCount: scale.partitionsWritten };
      await withClient(place.port, (client) => appendToEach(client, written, batch));
    } finally {
      await killNow(second.broker);
    }
    const third = await startUntilServed(bench, place, shape);
    await killNow(third.broker);
    return {
      ...created,
      shutdown,
      "after SIGTERM": second.seconds,
      "after SIGKILL": third.seconds,
    };
  } finally {
    if (!first.server.ended()) await first.server.stop();
  }
}

function rowOf({ partitions }: Scale, measurement: string, label: string): Row {
  return {
    label: `${partitions.toLocaleString("en")} partitions in one topic: ${label}`,
    unit: "s",
    ours: { subject: "local", measurement },
    kafkas: measurement,
    aim: { kind: "absolute", max: 2 },
  };
}

export const wideTopic: Figure = {
  name: "partitions",
  method: ({ partitions: ours, partitionsOfKafka, partitionsWritten }) =>
    `Millrace: ${ours.toLocaleString("en")} partitions; Kafka, which refuses 10,000: ` +
    `${partitionsOfKafka.toLocaleString("en")}. "Served" is an answer to ListOffsets from every ` +
    "partition. Starts count from the spawn of the process. Before SIGKILL, one record was written " +
    `to each of ${partitionsWritten.toLocaleString("en")} partitions.`,
  rows: (scale) => [
    rowOf(scale, "create", "create, until it is answered"),
    rowOf(scale, "create and serve", "create, until all are served"),
    rowOf(scale, "after SIGTERM", "restart after SIGTERM, until all are served"),
    rowOf(scale, "after SIGKILL", "restart after SIGKILL, until all are served"),
  ],
  measure: (bench) =>
    alternate(bench, ["local", "kafka"], async (subject) => {
      const place = await makePlace(bench, subject);
      try {
        return await measureIn(bench, place);
      } finally {
        await removePlace(place);
      }
    }),
};

if (import.meta.main) await runAlone(wideTopic);
