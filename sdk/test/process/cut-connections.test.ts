/** A producer with several batches of a partition under way, over connections that do not hold. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { connect, type MillraceClient, string } from "../../src/index.ts";
import { startCutting } from "./cutting-proxy.ts";
import { freePort, startBehind } from "./mortal-broker.ts";

const partitions = 3;
const count = 30_000;

/** The values of a topic by partition, in the order in which they lie there. */
async function stored(client: MillraceClient, topic: string): Promise<readonly string[][]> {
  const ends = await client.admin.offsets(topic, "latest");
  let left = ends.reduce((sum, { offset }) => sum + offset, 0);
  const values = Array.from({ length: partitions }, (): string[] => []);
  const consumer = client.topic(topic, { value: string() }).consume({ from: "earliest" });
  for await (const { partition, value } of consumer) {
    values[partition]?.push(value);
    left -= 1;
    if (left === 0) break;
  }
  return values;
}

test.for(["none", "lz4"] as const)(
  "whatever connections are cut, every record arrives once and in its order (%s)",
  async (compression) => {
    const directory = await mkdtemp(join(tmpdir(), "millrace-cut-"));
    const port = await freePort();
    const proxy = await startCutting(port, 7);
    const broker = await startBehind(directory, { listens: port, told: proxy.port });
    const client = connect({ brokers: [`127.0.0.1:${port}`] });
    await client.admin.createTopic("cut", { partitions });
    const lines = client.topic("cut", { value: string() });
    const producer = client.producer({ compression, batchBytes: 64 * 1024 });
    const sent = Array.from({ length: partitions }, (): string[] => []);
    for (let i = 0; i < count; i += 1) {
      const partition = i % partitions;
      // What compresses badly, of any length.
      const value = `${i} ${Math.sin(i)} `.repeat(1 + (i % 20));
      sent[partition]?.push(value);
      await producer.enqueue(lines, { value, partition });
    }
    await producer.close();
    expect(proxy.cuts()).toBeGreaterThan(2);
    proxy.rest();
    expect(await stored(client, "cut")).toEqual(sent);
    await client.close();
    await broker.end("SIGTERM");
    proxy.close();
    await rm(directory, { recursive: true, force: true });
  },
);
