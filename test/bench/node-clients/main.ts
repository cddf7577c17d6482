/**
 * One load by one Node client, in a process of its own:
 * `node main.ts CLIENT INSTALLATION produce|consume HOST:PORT TOPIC BYTES WARM_UP MEASURED`.
 *
 * WARM_UP records are for the compiler; what those that were measured took is printed as JSON: seconds
 * by the clock, and CPU seconds of all the threads of this process.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Kafkajs, kafkajsClient } from "./kafkajs-client.ts";
import type { LoadClient } from "./load-client.ts";
import { type Platformatic, platformaticClient } from "./platformatic-client.ts";
import { sdk, sdkOneByOne } from "./sdk-client.ts";

const [name = "", installation = "", verb = "", bootstrap = "", topic = "", ...numbers] =
  process.argv.slice(2);
const [recordBytes = 0, warmUpRecords = 0, measuredRecords = 0] = numbers.map(Number);

/** Of an installation of the compatibility lane, by its own folder. */
async function imported(packageName: string): Promise<unknown> {
  const path = createRequire(join(installation, "package.json")).resolve(packageName);
  return import(pathToFileURL(path).href);
}

async function clientByName(): Promise<LoadClient> {
  switch (name) {
    case "sdk":
      return sdk;
    case "sdk-one-by-one":
      return sdkOneByOne;
    case "platformatic":
      return platformaticClient((await imported("@platformatic/kafka")) as Platformatic);
    case "kafkajs":
      return kafkajsClient(((await imported("kafkajs")) as { readonly default: Kafkajs }).default);
    default:
      throw new Error(`no client ${name}`);
  }
}

interface Reading {
  readonly ms: number;
  readonly cpu: NodeJS.CpuUsage;
}

function read(): Reading {
  return { ms: performance.now(), cpu: process.cpuUsage() };
}

function report(recordCount: number, since: Reading): void {
  const { user, system } = process.cpuUsage(since.cpu);
  const seconds = (performance.now() - since.ms) / 1_000;
  console.log(JSON.stringify({ recordCount, seconds, cpuSeconds: (user + system) / 1e6 }));
}

async function produce(client: LoadClient): Promise<void> {
  const value = Buffer.alloc(recordBytes, "millrace");
  const producer = await client.openProducer({ bootstrap, topic, value });
  await producer.produce(warmUpRecords);
  const started = read();
  await producer.produce(measuredRecords);
  report(measuredRecords, started);
  await producer.close();
}

/**
 * A group of its own warms the client up; then another one reads from the beginning, and its joining
 * counts: whatever a client fetches ahead is within the time.
 */
async function consume(client: LoadClient): Promise<void> {
  const group = `${topic}-${name}-${process.pid}`;
  const warmUp = { bootstrap, topic, group: `${group}-warm-up`, recordCount: warmUpRecords };
  await client.consume({ ...warmUp, take: () => undefined });
  const recordCount = warmUpRecords + measuredRecords;
  let taken = 0;
  const started = read();
  const take = (value: Uint8Array | null): void => {
    if (value?.length !== recordBytes) throw new Error(`a record of ${value?.length} bytes`);
    taken += 1;
    if (taken === recordCount) report(recordCount, started);
  };
  await client.consume({ bootstrap, topic, group, recordCount, take });
  if (taken !== recordCount) throw new Error(`${taken} records of ${recordCount}`);
}

const client = await clientByName();
await (verb === "produce" ? produce(client) : consume(client));
