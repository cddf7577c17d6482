/** @millrace/sdk with its defaults: idempotent, no linger, batches of up to 512 KiB, five requests of 1 MiB. */
import { bytes, connect } from "../../../sdk/src/index.ts";
import type { ConsumeWork, LoadClient, LoadProducer, ProduceWork } from "./load-client.ts";

async function openProducer({ bootstrap, topic, value }: ProduceWork): Promise<LoadProducer> {
  const client = connect({ brokers: [bootstrap] });
  const records = client.topic(topic, { value: bytes() });
  const producer = client.producer();
  const message = { value };
  return {
    produce: async (recordCount) => {
      for (let sent = 0; sent < recordCount; sent += 1) await producer.enqueue(records, message);
      await producer.flush();
    },
    close: () => client.close(),
  };
}

/** One record a call, as a service does that has one at a time: each has its own promise. */
async function openSender({ bootstrap, topic, value }: ProduceWork): Promise<LoadProducer> {
  const client = connect({ brokers: [bootstrap] });
  const records = client.topic(topic, { value: bytes() });
  const message = { value };
  const turnRecords = 10_000;
  return {
    produce: async (recordCount) => {
      for (let sent = 0; sent < recordCount; sent += turnRecords) {
        const length = Math.min(turnRecords, recordCount - sent);
        await Promise.all(Array.from({ length }, () => records.send(message)));
      }
    },
    close: () => client.close(),
  };
}

async function consume({ bootstrap, topic, group, recordCount, take }: ConsumeWork): Promise<void> {
  await using client = connect({ brokers: [bootstrap] });
  let left = recordCount;
  const records = client.topic(topic, { value: bytes() });
  for await (const { value } of records.consume({ group, from: "earliest" })) {
    take(value);
    left -= 1;
    if (left === 0) return;
  }
}

async function runHandler(work: ConsumeWork): Promise<void> {
  const { bootstrap, topic, group, recordCount, take } = work;
  await using client = connect({ brokers: [bootstrap] });
  let left = recordCount;
  const consumer = client.topic(topic, { value: bytes() }).consume({ group, from: "earliest" });
  await consumer.run(({ value }) => {
    take(value);
    left -= 1;
    if (left === 0) consumer.stop().catch(() => undefined);
  });
}

export const sdk: LoadClient = { openProducer, consume };
/** The same client by its other two ways: a promise a record, and handlers. */
export const sdkOneByOne: LoadClient = { openProducer: openSender, consume: runHandler };
