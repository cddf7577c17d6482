/** Records that attacks need in the log. */
import { ApiKey, buildBatch, crc32c } from "@millrace/wire";
import type { Stage } from "./attack.ts";
import { createTopic } from "./subject.ts";

const batchBytes = 500_000;

/** Creates the topic, and fills its one partition with so many bytes. */
export async function produceBatches(stage: Stage, topic: string, bytes: number): Promise<void> {
  await createTopic(stage.subject.port, topic);
  const client = await stage.client();
  const value = new Uint8Array(batchBytes).fill(1);
  for (let produced = 0; produced < bytes; produced += batchBytes) {
    const records = buildBatch([{ key: null, value, timestamp: Date.now() }], { crc32c });
    const { responses } = await client.ask(ApiKey.Produce, 9, {
      acks: -1,
      timeoutMs: 10_000,
      topicData: [{ name: topic, partitionData: [{ index: 0, records }] }],
    });
    const errorCode = responses[0]?.partitionResponses[0]?.errorCode;
    if (errorCode !== 0) throw new Error(`${topic}: error ${errorCode}`);
  }
}
