import { Admin, compatibilityPartitioner, Producer, stringSerializers } from "@platformatic/kafka";
import type { Event } from "./data-sets.ts";

const batchRecords = 1_000;

export interface Target {
  readonly bootstrap: string;
  readonly topic: string;
  readonly partitions: number;
}

/** Creates the topic and sends every event, in order; each key stays in one partition. */
export async function replay(events: readonly Event[], target: Target): Promise<void> {
  const client = { clientId: "replay", bootstrapBrokers: [target.bootstrap] };
  const admin = new Admin(client);
  await admin.createTopics({ topics: [target.topic], partitions: target.partitions, replicas: 1 });
  await admin.close();
  const producer = new Producer({
    ...client,
    serializers: stringSerializers,
    // Java's murmur2, so that clients of every language put a key into the same partition.
    partitioner: compatibilityPartitioner,
    idempotent: true,
  });
  for (let from = 0; from < events.length; from += batchRecords) {
    await producer.send({
      messages: events.slice(from, from + batchRecords).map(({ key, value, headers }) => ({
        topic: target.topic,
        key,
        value,
        headers: { ...headers },
      })),
    });
  }
  await producer.close();
}
