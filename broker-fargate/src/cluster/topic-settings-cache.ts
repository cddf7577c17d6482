import { type BrokerLayers, type Topic, type TopicSettings, topicSettings } from "@millrace/core";

/** Topics' effective settings, made once; topics without configs of their own share one object. */
export class TopicSettingsCache {
  readonly #layers: () => BrokerLayers;
  #shared: TopicSettings | undefined;
  /** By the topic's configs, which are replaced, never changed. */
  #own = new WeakMap<ReadonlyMap<string, string>, TopicSettings>();

  constructor(layers: () => BrokerLayers) {
    this.#layers = layers;
  }

  of(topic: Topic): TopicSettings {
    if (topic.configs.size === 0) {
      this.#shared ??= topicSettings(topic.configs, this.#layers());
      return this.#shared;
    }
    const known = this.#own.get(topic.configs);
    if (known !== undefined) return known;
    const settings = topicSettings(topic.configs, this.#layers());
    this.#own.set(topic.configs, settings);
    return settings;
  }

  /** After a change of the broker's configs. */
  clear(): void {
    this.#shared = undefined;
    this.#own = new WeakMap();
  }
}
