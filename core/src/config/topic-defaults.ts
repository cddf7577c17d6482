import { type TopicConfigDefinition, topicConfigs } from "./topic-configs.ts";
import { parseConfig } from "./value.ts";

/** By broker key, the topic keys that take their default from it. */
const heirs = new Map<
  string,
  { readonly topic: TopicConfigDefinition; readonly factor: number }[]
>();
for (const topic of topicConfigs.values()) {
  for (const { factor, name } of topic.synonyms) {
    heirs.set(name, [...(heirs.get(name) ?? []), { topic, factor }]);
  }
}

/**
 * Why a broker key's value, valid as such, can't be what topics take their default from, in Kafka's
 * words for the topic's key; `undefined` when it can. Some broker keys have a wider range than the
 * topic's key, and a topic whose default is out of range has no settings at all.
 */
export function topicDefaultFault(name: string, text: string): string | undefined {
  for (const { factor, topic } of heirs.get(name) ?? []) {
    const parsed = parseConfig(topic, inheritedText(text, factor));
    if (!parsed.ok) return parsed.message;
  }
  return undefined;
}

/** A negative count of hours or minutes means "for ever", whatever its size. */
export function inheritedText(text: string, factor: number): string {
  if (factor === 1) return text;
  return Number(text) < 0 ? "-1" : String(BigInt(text) * BigInt(factor));
}
