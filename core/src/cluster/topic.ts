import { type TopicId, topicId } from "../ids.ts";
import type { Item, ItemValue, JsonValue } from "../ports/metadata-store.ts";
import { readingItem, UnreadableItemError } from "./unreadable-item.ts";

/** A topic as the catalog holds it. A change makes a new object; partitions have none. */
export interface Topic {
  readonly name: string;
  readonly id: TopicId;
  readonly partitionCount: number;
  /** As its creator asked; what metadata shows is capped at the live brokers. */
  readonly replicationFactor: number;
  /** Only what was set for the topic itself, as it was given. */
  readonly configs: ReadonlyMap<string, string>;
  readonly isInternal: boolean;
}

/** A topic with what a conditional write of its item needs. */
export interface StoredTopic {
  readonly topic: Topic;
  readonly version: number;
  /** Who wrote this version; unique to the write, so that a writer knows its own again. */
  readonly stamp: string;
}

export function topicItem(topic: Topic, stamp: string): ItemValue {
  return {
    name: topic.name,
    id: topic.id,
    partitions: topic.partitionCount,
    replicationFactor: topic.replicationFactor,
    internal: topic.isInternal,
    configs: Object.fromEntries(topic.configs),
    stamp,
  };
}

/** Throws UnreadableItemError. */
export function readTopic(item: Item): StoredTopic {
  return readingItem(item.key, () => storedTopicOf(item));
}

function storedTopicOf(item: Item): StoredTopic {
  const { name, id, partitions, replicationFactor, internal, configs, stamp } = item.value;
  if (typeof name !== "string" || typeof id !== "string" || typeof stamp !== "string") {
    throw new UnreadableItemError(item.key, "name, id or stamp is missing");
  }
  if (typeof partitions !== "number" || typeof replicationFactor !== "number") {
    throw new UnreadableItemError(item.key, "partitions or replicationFactor is missing");
  }
  const topic: Topic = {
    name,
    id: topicId(id),
    partitionCount: partitions,
    replicationFactor,
    configs: readConfigs(item.key, configs),
    isInternal: internal === true,
  };
  return { topic, version: item.version, stamp };
}

/** A map of texts out of an item's JSON object. */
export function readConfigs(key: string, json: JsonValue | undefined): ReadonlyMap<string, string> {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new UnreadableItemError(key, "configs is not an object");
  }
  const configs = new Map<string, string>();
  for (const [name, value] of Object.entries(json)) {
    if (typeof value !== "string") throw new UnreadableItemError(key, `${name} is not a text`);
    configs.set(name, value);
  }
  return configs;
}
