import { type BrokerLayers, type Topic, type TopicSettings, topicSettings } from "@millrace/core";

/**
 * What every topic has in a cluster of several brokers, whatever is set: its log is journaled, and
 * goes into the object store, because a broker's disk may go with it.
 */
const ofMembers = {
  durability: "journal",
  remoteStorageEnable: true,
  remoteLogCopyDisable: false,
} as const;

/** Topics' effective settings, made once; topics without configs of their own share one object. */
export class TopicSettingsCache {
  readonly #layers: () => BrokerLayers;
  readonly #enforced: Partial<TopicSettings>;
  #shared: TopicSettings | undefined;
  /** By the topic's configs, which are replaced, never changed. */
  #own = new WeakMap<ReadonlyMap<string, string>, TopicSettings>();

  constructor(broker: { readonly layers: () => BrokerLayers; readonly is: "alone" | "member" }) {
    this.#layers = broker.layers;
    this.#enforced = broker.is === "alone" ? {} : ofMembers;
  }

  of(topic: Topic): TopicSettings {
    if (topic.configs.size === 0) {
      this.#shared ??= this.#made(topic);
      return this.#shared;
    }
    const known = this.#own.get(topic.configs);
    if (known !== undefined) return known;
    const settings = this.#made(topic);
    this.#own.set(topic.configs, settings);
    return settings;
  }

  #made(topic: Topic): TopicSettings {
    return { ...topicSettings(topic.configs, this.#layers()), ...this.#enforced };
  }

  /** After a change of the broker's configs. */
  clear(): void {
    this.#shared = undefined;
    this.#own = new WeakMap();
  }
}
