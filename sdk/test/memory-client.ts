/** A client of a `MemoryCluster`, and what tests need around it. */
import { type Codec, string } from "../src/codec.ts";
import { MillraceClient } from "../src/connect.ts";
import type { StandardSchema } from "../src/schema.ts";
import type { Topic } from "../src/topic.ts";
import { MemoryCluster } from "./memory-cluster.ts";

export function clientOf(cluster: MemoryCluster): MillraceClient {
  return new MillraceClient(cluster.open, { brokers: ["memory:1"] });
}

/** A cluster with one topic of strings, and its client. */
export function linesOf(partitions: number = 1): {
  readonly cluster: MemoryCluster;
  readonly client: MillraceClient;
  readonly lines: Topic<{ readonly value: Codec<string> }, "lines">;
} {
  const cluster = new MemoryCluster();
  cluster.createTopic("lines", partitions);
  const client = clientOf(cluster);
  const lines = client.topic("lines", { value: string() });
  return { cluster, client, lines };
}

/** A validator that nobody's library made: a string of digits, read as a number. */
export const digits: StandardSchema<string, number> = {
  "~standard": {
    version: 1,
    vendor: "by hand",
    validate: (value) =>
      typeof value === "string" && /^\d+$/.test(value)
        ? { value: Number(value) }
        : { issues: [{ message: "not a string of digits" }] },
  },
};

/** Waits until the condition holds; fails after 5 s. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited too long for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
