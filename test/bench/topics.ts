/** Topics and partitions, asked for over the wire. */
import type { WireClient } from "../fixtures/wire-client.ts";
import { pause } from "./processes.ts";

const servedMsMax = 900_000;
const pollMs = 20;
const latestTimestamp = -1n;

export interface TopicShape {
  readonly topic: string;
  readonly partitionCount: number;
  readonly configs?: Readonly<Record<string, string>>;
}

/** Asks once; throws when the topic is refused. */
export async function createTopic(client: WireClient, shape: TopicShape): Promise<void> {
  const { topic, partitionCount, configs = {} } = shape;
  const { topics } = await client.ask(19, 5, {
    topics: [
      {
        name: topic,
        numPartitions: partitionCount,
        replicationFactor: 1,
        assignments: [],
        configs: Object.entries(configs).map(([name, value]) => ({ name, value })),
      },
    ],
    timeoutMs: 120_000,
  });
  const [result] = topics;
  if (result?.errorCode !== 0) {
    throw new Error(`${topic}: error ${result?.errorCode}, ${result?.errorMessage}`);
  }
}

export async function deleteTopic(client: WireClient, topic: string): Promise<void> {
  const { responses } = await client.ask(20, 5, { topicNames: [topic], timeoutMs: 60_000 });
  const [result] = responses;
  if (result?.errorCode !== 0) throw new Error(`${topic}: error ${result?.errorCode}`);
}

/**
 * Resolves once the leader of every partition has answered for it, with the sum of their end
 * offsets. ListOffsets goes through the partition itself; Metadata would only say what is planned.
 */
export async function waitUntilServed(client: WireClient, shape: TopicShape): Promise<number> {
  const { topic, partitionCount } = shape;
  const partitions = Array.from({ length: partitionCount }, (_, partitionIndex) => ({
    partitionIndex,
    timestamp: latestTimestamp,
  }));
  const request = { replicaId: -1, topics: [{ name: topic, partitions }] };
  const deadline = performance.now() + servedMsMax;
  for (;;) {
    const answer = await client.ask(2, 5, request);
    const answered = answer.topics[0]?.partitions ?? [];
    const unserved = answered.find(({ errorCode }) => errorCode !== 0);
    if (answered.length === partitionCount && unserved === undefined) {
      return answered.reduce((sum, { offset }) => sum + offset, 0);
    }
    if (performance.now() > deadline) {
      throw new Error(`${topic}: not all served, such as ${JSON.stringify(unserved)}`);
    }
    await pause(pollMs);
  }
}

/** Appends one batch to each of the first partitions of a topic, acks=all, in one request. */
export async function appendToEach(
  client: WireClient,
  shape: TopicShape,
  batch: Uint8Array,
): Promise<void> {
  const batches = Array.from({ length: shape.partitionCount }, (_, partition) => ({
    partition,
    batch,
  }));
  await appendBatches(client, shape.topic, batches);
}

export interface PartitionBatch {
  readonly partition: number;
  readonly batch: Uint8Array;
}

/** Appends them, acks=all, in one request; throws when one is refused. */
export async function appendBatches(
  client: WireClient,
  topic: string,
  batches: readonly PartitionBatch[],
): Promise<void> {
  const partitionData = batches.map(({ partition, batch }) => ({
    index: partition,
    records: batch,
  }));
  const { responses } = await client.ask(0, 9, {
    acks: -1,
    timeoutMs: 60_000,
    topicData: [{ name: topic, partitionData }],
  });
  const answers = responses.flatMap((response) => response.partitionResponses);
  const refused = answers.find(({ errorCode }) => errorCode !== 0);
  if (answers.length !== batches.length || refused !== undefined) {
    throw new Error(
      `${topic}: ${answers.length} of ${batches.length} answered, ${JSON.stringify(refused)}`,
    );
  }
}

/** Sets configs of a topic that exists; throws when one is refused. */
export async function setTopicConfigs(
  client: WireClient,
  topic: string,
  configs: Readonly<Record<string, string>>,
): Promise<void> {
  const { responses } = await client.ask(44, 1, {
    resources: [
      {
        resourceType: 2,
        resourceName: topic,
        configs: Object.entries(configs).map(([name, value]) => ({
          name,
          configOperation: 0,
          value,
        })),
      },
    ],
    validateOnly: false,
  });
  const [result] = responses;
  if (result?.errorCode !== 0) {
    throw new Error(`${topic}: error ${result?.errorCode}, ${result?.errorMessage}`);
  }
}
