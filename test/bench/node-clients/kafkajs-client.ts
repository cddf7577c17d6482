/** kafkajs: not idempotent, as it calls that experimental; arrays to `send`, batches back. */
import {
  type ConsumeWork,
  type LoadClient,
  type LoadProducer,
  type ProduceWork,
  sendInTurns,
} from "./load-client.ts";

interface Connected {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
}

interface KafkajsProducer extends Connected {
  send(record: {
    readonly topic: string;
    readonly acks: number;
    readonly messages: readonly { readonly value: Buffer }[];
  }): Promise<unknown>;
}

interface KafkajsBatch {
  readonly messages: readonly { readonly value: Buffer | null }[];
}

interface KafkajsConsumer extends Connected {
  subscribe(to: { readonly topic: string; readonly fromBeginning: boolean }): Promise<void>;
  run(config: {
    readonly eachBatch: (payload: { readonly batch: KafkajsBatch }) => Promise<void>;
  }): Promise<void>;
}

/** What is used of it: it is installed apart, by the compatibility lane. */
export interface Kafkajs {
  readonly Kafka: new (config: {
    readonly clientId: string;
    readonly brokers: readonly string[];
    readonly logLevel: number;
  }) => {
    producer(options: { readonly createPartitioner: unknown }): KafkajsProducer;
    consumer(options: { readonly groupId: string }): KafkajsConsumer;
  };
  readonly Partitioners: { readonly DefaultPartitioner: unknown };
  readonly logLevel: { readonly ERROR: number };
}

export function kafkajsClient({ Kafka, Partitioners, logLevel }: Kafkajs): LoadClient {
  const open = (bootstrap: string): InstanceType<Kafkajs["Kafka"]> =>
    new Kafka({ clientId: "bench", brokers: [bootstrap], logLevel: logLevel.ERROR });
  async function openProducer({ bootstrap, topic, value }: ProduceWork): Promise<LoadProducer> {
    const createPartitioner = Partitioners.DefaultPartitioner;
    const producer = open(bootstrap).producer({ createPartitioner });
    await producer.connect();
    const send = (length: number): Promise<unknown> =>
      producer.send({ topic, acks: -1, messages: Array.from({ length }, () => ({ value })) });
    return {
      produce: (recordCount) => sendInTurns(recordCount, value.length, send),
      close: () => producer.disconnect(),
    };
  }
  async function consume(work: ConsumeWork): Promise<void> {
    const { bootstrap, topic, group, recordCount, take } = work;
    const consumer = open(bootstrap).consumer({ groupId: group });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    const all = Promise.withResolvers<void>();
    let left = recordCount;
    const eachBatch = async ({ batch }: { readonly batch: KafkajsBatch }): Promise<void> => {
      for (const { value } of batch.messages) take(value);
      left -= batch.messages.length;
      if (left <= 0) all.resolve();
    };
    await consumer.run({ eachBatch });
    await all.promise;
    await consumer.disconnect();
  }
  return { openProducer, consume };
}
