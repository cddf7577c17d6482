/**
 * Load by clients for Node, each in a process of its own. What a client says it did is checked
 * against the broker's end offsets, and it counts itself what it reads.
 */
import { join } from "node:path";
import { runOrThrow } from "../compat/processes.ts";
import { PROGRAMS } from "../compat/programs.ts";
import { withClient } from "../fixtures/wire-client.ts";
import type { Broker } from "./brokers.ts";
import type { Bench } from "./figure.ts";
import { makeTopic, perGB, topicPartitions } from "./load.ts";
import { waitUntilServed } from "./topics.ts";

export const nodeClients = ["sdk", "sdk-one-by-one", "platformatic", "kafkajs"] as const;
export type NodeClient = (typeof nodeClients)[number];

export interface NodeLoad {
  readonly topic: string;
  readonly recordBytes: number;
  /** For the client's compiler; lies in the topic before what is measured. */
  readonly warmUpRecords: number;
  readonly measuredRecords: number;
}

export interface NodeLoaded {
  readonly recordsPerSecond: number;
  readonly cpuSecondsPerGB: number;
}

/** What a client's process prints. */
interface Took {
  readonly recordCount: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

const clientMsMax = 600_000;
const program = join(import.meta.dirname, "node-clients/main.ts");

/** Where the client lies: both others are the compatibility lane's, in the same versions. */
async function installationOf(bench: Bench, client: NodeClient): Promise<string> {
  const found = PROGRAMS.find(({ name }) => name === client);
  if (found === undefined) return bench.scratch;
  return (await found.install(join(bench.repository, ".cache/compat"))).cwd;
}

async function run(
  bench: Bench,
  broker: Broker,
  load: NodeLoad & { readonly client: NodeClient; readonly verb: "produce" | "consume" },
): Promise<NodeLoaded> {
  const { client, verb, topic, recordBytes, warmUpRecords, measuredRecords } = load;
  const installation = await installationOf(bench, client);
  const output = await runOrThrow(
    {
      file: process.execPath,
      args: [
        ...[program, client, installation, verb, `127.0.0.1:${broker.port}`, topic],
        ...[recordBytes, warmUpRecords, measuredRecords].map(String),
      ],
      cwd: bench.scratch,
    },
    clientMsMax,
  );
  const { cpuSeconds, recordCount, seconds } = JSON.parse(output) as Took;
  return {
    recordsPerSecond: recordCount / seconds,
    cpuSecondsPerGB: perGB(cpuSeconds, recordCount * recordBytes),
  };
}

/** Into a topic of its own, which it makes. */
export async function produceByNode(
  bench: Bench,
  broker: Broker,
  load: NodeLoad & { readonly client: NodeClient },
): Promise<NodeLoaded> {
  await makeTopic(broker, load.topic);
  const loaded = await run(bench, broker, { ...load, verb: "produce" });
  const { topic, warmUpRecords, measuredRecords } = load;
  const stored = await withClient(broker.port, (wire) =>
    waitUntilServed(wire, { topic, partitionCount: topicPartitions }),
  );
  if (stored !== warmUpRecords + measuredRecords) {
    throw new Error(`${load.client} sent ${warmUpRecords + measuredRecords}, stored are ${stored}`);
  }
  return loaded;
}

/** From a topic that it has produced into. */
export function consumeByNode(
  bench: Bench,
  broker: Broker,
  load: NodeLoad & { readonly client: NodeClient },
): Promise<NodeLoaded> {
  return run(bench, broker, { ...load, verb: "consume" });
}
