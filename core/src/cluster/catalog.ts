import { assert } from "../assert.ts";
import type { TopicId } from "../ids.ts";
import type { StoredTopic, Topic } from "./topic.ts";
import { collisionKey } from "./topic-name.ts";

/** What readers see of the topics. Answers are immediate and never older than the last change. */
export interface TopicCatalog {
  readonly size: number;
  byName(name: string): Topic | undefined;
  byId(id: TopicId): Topic | undefined;
  /** Ascending by name, in UTF-16 code units. The array is replaced, never changed. */
  list(): readonly Topic[];
}

/** The topics of the cluster, in memory: one entry for each, whatever its partitions. */
export class Catalog implements TopicCatalog {
  readonly #byName = new Map<string, StoredTopic>();
  readonly #byId = new Map<TopicId, Topic>();
  /** Collision key → names; nearly always one. */
  readonly #colliding = new Map<string, readonly string[]>();
  #sorted: readonly Topic[] | undefined;
  #partitions = 0;

  get size(): number {
    return this.#byName.size;
  }

  /** Partitions of all topics. */
  get partitionCount(): number {
    return this.#partitions;
  }

  byName(name: string): Topic | undefined {
    return this.#byName.get(name)?.topic;
  }

  byId(id: TopicId): Topic | undefined {
    return this.#byId.get(id);
  }

  stored(name: string): StoredTopic | undefined {
    return this.#byName.get(name);
  }

  list(): readonly Topic[] {
    this.#sorted ??= [...this.#byName.values()]
      .map((stored) => stored.topic)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    return this.#sorted;
  }

  /** Another topic's name that metrics could not tell from `name`. */
  collidingName(name: string): string | undefined {
    return this.#colliding.get(collisionKey(name))?.find((other) => other !== name);
  }

  /** Adds a topic, or replaces the one of its name. */
  put(stored: StoredTopic): void {
    const { topic } = stored;
    const sameId = this.#byId.get(topic.id);
    assert(sameId === undefined || sameId.name === topic.name, `topic id used twice: ${topic.id}`);
    this.remove(topic.name);
    this.#byName.set(topic.name, stored);
    this.#byId.set(topic.id, topic);
    const collision = collisionKey(topic.name);
    this.#colliding.set(collision, [...(this.#colliding.get(collision) ?? []), topic.name]);
    this.#partitions += topic.partitionCount;
    this.#sorted = undefined;
  }

  /** No effect when there is no such topic. */
  remove(name: string): void {
    const stored = this.#byName.get(name);
    if (stored === undefined) return;
    this.#byName.delete(name);
    this.#byId.delete(stored.topic.id);
    const collision = collisionKey(name);
    const others = (this.#colliding.get(collision) ?? []).filter((other) => other !== name);
    if (others.length === 0) this.#colliding.delete(collision);
    else this.#colliding.set(collision, others);
    this.#partitions -= stored.topic.partitionCount;
    this.#sorted = undefined;
  }
}
