import { ApiKey } from "@millrace/wire";
import type { Ask } from "./canary.ts";
import { encodeFrame } from "./frames.ts";
import type { Knowledge } from "./knowledge.ts";

const created = ["orders", "payments", "stock"];
/** Of the others some are no topic's name, and some exclude each other. */
export const topicNames: readonly string[] = [
  ...created,
  ...["returns", "größe", "deep.topic", "deep_topic"],
];

/** So that there is something to talk about. A topic that is there stays as it is. */
export async function setUpTopics(knowledge: Knowledge, ask: Ask): Promise<void> {
  const topics = created.map((name, at) => ({
    ...{ name, numPartitions: 1 + at, replicationFactor: 1, assignments: [] },
    configs: at % 2 === 0 ? [] : [{ name: "millrace.durability", value: "journal" }],
  }));
  const frame = encodeFrame(ApiKey.CreateTopics, 7, { topics, timeoutMs: 1_000 });
  knowledge.learn(ApiKey.CreateTopics, undefined, await ask(frame));
  const all = encodeFrame(ApiKey.Metadata, 12, { topics: null });
  knowledge.learn(ApiKey.Metadata, undefined, await ask(all));
}
