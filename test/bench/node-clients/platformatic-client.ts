/** @platformatic/kafka itself: idempotent, arrays of records to `send`, a stream of messages back. */
import {
  type ConsumeWork,
  type LoadClient,
  type LoadProducer,
  type ProduceWork,
  sendInTurns,
} from "./load-client.ts";

interface Stream extends AsyncIterable<{ readonly value: Buffer | undefined }> {
  close(): Promise<void>;
}

/** What is used of it: the compatibility lane's own installation has its types elsewhere. */
export interface Platformatic {
  readonly ProduceAcks: { readonly ALL: number };
  readonly Producer: new (options: {
    readonly clientId: string;
    readonly bootstrapBrokers: readonly string[];
    readonly idempotent: boolean;
    readonly acks: number;
  }) => {
    send(options: {
      readonly messages: readonly { readonly topic: string; readonly value: Buffer }[];
    }): Promise<unknown>;
    close(): Promise<void>;
  };
  readonly Consumer: new (options: {
    readonly clientId: string;
    readonly groupId: string;
    readonly bootstrapBrokers: readonly string[];
  }) => {
    consume(options: {
      readonly topics: readonly string[];
      readonly mode: "committed";
      readonly fallbackMode: "earliest";
    }): Promise<Stream>;
    close(force: boolean): Promise<void>;
  };
}

export function platformaticClient({ Producer, Consumer, ProduceAcks }: Platformatic): LoadClient {
  const clientId = "bench";
  async function openProducer({ bootstrap, topic, value }: ProduceWork): Promise<LoadProducer> {
    const options = { clientId, bootstrapBrokers: [bootstrap], acks: ProduceAcks.ALL };
    const producer = new Producer({ ...options, idempotent: true });
    const send = (length: number): Promise<unknown> =>
      producer.send({ messages: Array.from({ length }, () => ({ topic, value })) });
    return {
      produce: (recordCount) => sendInTurns(recordCount, value.length, send),
      close: () => producer.close(),
    };
  }
  async function consume(work: ConsumeWork): Promise<void> {
    const { bootstrap, topic, group, recordCount, take } = work;
    const consumer = new Consumer({ clientId, groupId: group, bootstrapBrokers: [bootstrap] });
    const from = { mode: "committed", fallbackMode: "earliest" } as const;
    const stream = await consumer.consume({ topics: [topic], ...from });
    let left = recordCount;
    for await (const { value } of stream) {
      take(value ?? null);
      left -= 1;
      if (left === 0) break;
    }
    await consumer.close(true);
  }
  return { openProducer, consume };
}
