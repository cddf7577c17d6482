/** @millrace/sdk beside the clients that a Node program would use instead, on both brokers. */
import { type Broker, withBroker } from "../brokers.ts";
import { alternate, type Bench, type Figure, type Measurements, type Row } from "../figure.ts";
import { topicPartitions, warmUp } from "../load.ts";
import { consumeByNode, type NodeClient, nodeClients, produceByNode } from "../node-load.ts";
import { runAlone } from "../run-alone.ts";
import { inGB, type Scale } from "../scale.ts";

type Verb = "produce" | "consume";

interface Size {
  readonly name: string;
  readonly recordBytes: number;
  readonly totalBytes: (scale: Scale) => number;
}

const verbs: readonly Verb[] = ["produce", "consume"];
const sizes: readonly Size[] = [
  { name: "1 KB", recordBytes: 1024, totalBytes: ({ nodeClientBytes }) => nodeClientBytes },
  {
    name: "100 B",
    recordBytes: 100,
    totalBytes: ({ nodeClientSmallBytes }) => nodeClientSmallBytes,
  },
];
/** The first seventh of a topic is the client's warm-up. */
const warmUpParts = 6;
/** The SDK is built on its codecs, so it is what the SDK may not cost more than. */
const beside: NodeClient = "platformatic";
/** The SDK's median must be at least so many times the records a second of the client beneath. */
const rateRatioMin = 0.95;

const shownAs: Readonly<Record<NodeClient, string>> = {
  sdk: "@millrace/sdk (`enqueue`, `for await`)",
  "sdk-one-by-one": "@millrace/sdk (`send`, `run`)",
  platformatic: "@platformatic/kafka",
  kafkajs: "kafkajs",
};

function rateOf(client: NodeClient, verb: Verb, size: Size): string {
  return `${client} ${verb} ${size.name} records/s`;
}

function cpuOf(client: NodeClient, verb: Verb, size: Size): string {
  return `${client} ${verb} ${size.name} CPU s/GB`;
}

function ratioOf(verb: Verb, size: Size): string {
  return `sdk over ${beside}: ${verb} ${size.name}`;
}

async function measureClient(
  bench: Bench,
  broker: Broker,
  { client, size }: { readonly client: NodeClient; readonly size: Size },
): Promise<Measurements> {
  const { recordBytes } = size;
  const measuredRecords = Math.round(size.totalBytes(bench.scale) / recordBytes);
  const warmUpRecords = Math.round(measuredRecords / warmUpParts);
  const topic = `${client}-${recordBytes}`;
  const load = { client, topic, recordBytes, warmUpRecords, measuredRecords };
  const produced = await produceByNode(bench, broker, load);
  const consumed = await consumeByNode(bench, broker, load);
  return {
    [rateOf(client, "produce", size)]: produced.recordsPerSecond,
    [cpuOf(client, "produce", size)]: produced.cpuSecondsPerGB,
    [rateOf(client, "consume", size)]: consumed.recordsPerSecond,
    [cpuOf(client, "consume", size)]: consumed.cpuSecondsPerGB,
  };
}

function withRatios(values: Measurements): Measurements {
  const ratios = sizes.flatMap((size) =>
    verbs.map((verb): readonly [string, number] => {
      const [ours, theirs] = (["sdk", beside] as const).map(
        (client) => values[rateOf(client, verb, size)],
      );
      return [ratioOf(verb, size), (ours ?? Number.NaN) / (theirs ?? Number.NaN)];
    }),
  );
  return { ...values, ...Object.fromEntries(ratios) };
}

/** Each run begins with another client, so that none always gets the broker as one other left it. */
async function measureOne(bench: Bench, broker: Broker, run: number): Promise<Measurements> {
  await warmUp(bench, broker);
  const first = run % nodeClients.length;
  const clients = [...nodeClients.slice(first), ...nodeClients.slice(0, first)];
  let values: Measurements = {};
  for (const size of sizes) {
    for (const client of clients) {
      values = { ...values, ...(await measureClient(bench, broker, { client, size })) };
    }
  }
  return withRatios(values);
}

function rowOf(label: string, unit: Row["unit"], measurement: string): Row {
  const ours = { subject: "local", measurement } as const;
  return { label, unit, ours, kafkas: measurement, aim: { kind: "reported" } };
}

const rowsOfClients: readonly Row[] = sizes.flatMap((size) =>
  verbs.flatMap((verb) => [
    ...nodeClients.map((client) =>
      rowOf(
        `Node client, ${verb} ${size.name}: ${shownAs[client]}`,
        "records/s",
        rateOf(client, verb, size),
      ),
    ),
    ...nodeClients.map((client) =>
      rowOf(
        `its own CPU per GB, ${verb} ${size.name}: ${shownAs[client]}`,
        "CPU s/GB",
        cpuOf(client, verb, size),
      ),
    ),
  ]),
);

const rowsOfRatios: readonly Row[] = sizes.flatMap((size) =>
  verbs.map((verb): Row => {
    const label = `@millrace/sdk over @platformatic/kafka, records/s, ${verb} ${size.name}`;
    return { ...rowOf(label, "×", ratioOf(verb, size)), aim: { kind: "least", min: rateRatioMin } };
  }),
);

export const sdkBesideOthers: Figure = {
  name: "sdk",
  method: ({ nodeClientBytes, nodeClientSmallBytes }) =>
    "Clients for Node, one process each, one after another on the same broker, into and from a " +
    `topic of ${topicPartitions} partitions each: ${inGB(nodeClientBytes)} in records of 1,024 B, then ` +
    `${inGB(nodeClientSmallBytes)} in records of 100 B, after a sixth as much that warms the client ` +
    "up; as fast as it goes, acks=all, uncompressed, no keys, values that are bytes already. The " +
    "columns are the brokers; where the unit is records/s, more is better, also in the ratio. CPU is " +
    "the client's own, of all its threads. Client and broker share the cores. @millrace/sdk with its " +
    "defaults (idempotent, no linger, batches to 512 KiB, up to five requests of 1 MiB under way), by " +
    "`producer.enqueue` and `for await`, and by a promise a record and `consumer.run`; @platformatic/kafka 2.12.1 idempotent, `send` of 1 MiB " +
    "in records, five at a time, and its stream by `for await`; kafkajs 2.2.4, not idempotent, which " +
    "it calls experimental, the same sends, and `eachBatch`.",
  rows: () => [...rowsOfRatios, ...rowsOfClients],
  measure: (bench) =>
    alternate(bench, ["kafka", "local"], (subject, run) =>
      withBroker(bench, subject, (broker) => measureOne(bench, broker, run)),
    ),
};

if (import.meta.main) await runAlone(sdkBesideOthers);
