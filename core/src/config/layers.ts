import { brokerConfigs } from "./broker-configs.ts";
import type { ConfigDefinition } from "./definition.ts";
import type { TopicConfigDefinition } from "./topic-configs.ts";
import { inheritedText } from "./topic-defaults.ts";
import { type ConfigValue, parseConfig } from "./value.ts";

/**
 * Where a broker's values come from, the strongest first. All three hold valid values of known
 * keys, as they were given.
 */
export interface BrokerLayers {
  /** Set for this broker while it ran. */
  readonly broker: ReadonlyMap<string, string>;
  /** Set for all brokers of the cluster while they ran. */
  readonly cluster: ReadonlyMap<string, string>;
  /** From file, environment and flags at the start. */
  readonly fixed: ReadonlyMap<string, string>;
}

/** Where a value stands; the words are Kafka's (KIP-226). */
export type ConfigSource =
  | "topic"
  | "dynamicBroker"
  | "dynamicDefaultBroker"
  | "staticBroker"
  | "default";

export interface ConfigSynonym {
  readonly name: string;
  readonly value: string;
  readonly source: ConfigSource;
}

/** A key's effective value with everything that it overrides. */
export interface EffectiveConfig {
  readonly definition: ConfigDefinition;
  /** The canonical text; `null` when the key has no value. */
  readonly text: string | null;
  readonly value: ConfigValue;
  readonly source: ConfigSource;
  readonly synonyms: readonly ConfigSynonym[];
}

/** Broker keys that stand in for each other, the strongest first. */
const fallbacks: ReadonlyMap<string, readonly string[]> = new Map([
  ["log.retention.ms", ["log.retention.ms", "log.retention.minutes", "log.retention.hours"]],
  ["log.retention.minutes", ["log.retention.minutes", "log.retention.hours"]],
  ["log.roll.ms", ["log.roll.ms", "log.roll.hours"]],
  ["log.roll.jitter.ms", ["log.roll.jitter.ms", "log.roll.jitter.hours"]],
  ["log.flush.interval.ms", ["log.flush.interval.ms", "log.flush.scheduler.interval.ms"]],
]);

/** A broker key's own value: the strongest layer that has it, or its default. */
export function brokerConfig(name: string, layers: BrokerLayers): EffectiveConfig | undefined {
  const definition = brokerConfigs.get(name);
  if (definition === undefined) return undefined;
  const synonyms = brokerSynonyms(name, layers);
  const own = synonyms.find((synonym) => synonym.name === name);
  const parsed = own === undefined ? undefined : parseConfig(definition, own.value);
  const source = synonyms[0]?.source ?? "default";
  if (parsed === undefined || !parsed.ok) {
    return { definition, text: null, value: null, source, synonyms };
  }
  return { definition, text: parsed.text, value: parsed.value, source, synonyms };
}

/** A topic key's value under the topic's own configs and the broker's layers. */
export function topicConfig(
  definition: TopicConfigDefinition,
  configs: ReadonlyMap<string, string>,
  layers: BrokerLayers,
): EffectiveConfig {
  const first = definition.synonyms[0];
  const isShown = first !== undefined && !definition.hidesSynonyms;
  const inherited = isShown ? brokerSynonyms(first.name, layers) : [];
  const own = configs.get(definition.name);
  const parsed = parseConfig(definition, own ?? inheritedDefault(definition, layers));
  if (!parsed.ok) throw new TypeError(`a stored config is not valid: ${parsed.message}`);
  const { text, value } = parsed;
  if (own === undefined) {
    const source = inherited[0]?.source ?? "default";
    return { definition, text, value, source, synonyms: inherited };
  }
  const synonyms = [{ name: definition.name, value: text, source: "topic" } as const, ...inherited];
  return { definition, text, value, source: "topic", synonyms };
}

/** What the topic's key is without a value of its own. */
function inheritedDefault(definition: TopicConfigDefinition, layers: BrokerLayers): string {
  for (const synonym of definition.synonyms) {
    const broker = brokerConfig(synonym.name, layers);
    if (broker === undefined || broker.text === null) continue;
    return inheritedText(broker.text, synonym.factor);
  }
  return definition.defaultValue ?? "";
}

/**
 * Every layer's value of the key and of those that stand in for it, layer by layer. What comes
 * before the first entry of the key itself is dropped, as Kafka does: a tool reads the head as the
 * key's own.
 */
function brokerSynonyms(name: string, layers: BrokerLayers): readonly ConfigSynonym[] {
  const names = fallbacks.get(name) ?? [name];
  const found: ConfigSynonym[] = [];
  const add = (source: ConfigSource, valueOf: (candidate: string) => string | null | undefined) => {
    for (const candidate of names) {
      const value = valueOf(candidate);
      if (value !== undefined && value !== null) found.push({ name: candidate, value, source });
    }
  };
  add("dynamicBroker", (candidate) => layers.broker.get(candidate));
  add("dynamicDefaultBroker", (candidate) => layers.cluster.get(candidate));
  add("staticBroker", (candidate) => layers.fixed.get(candidate));
  add("default", (candidate) => brokerConfigs.get(candidate)?.defaultValue);
  const first = found.findIndex((synonym) => synonym.name === name);
  return first < 0 ? [] : found.slice(first);
}
