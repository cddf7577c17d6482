import { describe, expect, it } from "vitest";
import { type BrokerLayers, brokerConfig, type ConfigSynonym, topicConfig } from "./layers.ts";
import { topicConfigs } from "./topic-configs.ts";
import { topicSettings } from "./topic-settings.ts";

type Entries = Record<string, string>;

function layersOf(given: { broker?: Entries; cluster?: Entries; fixed?: Entries }): BrokerLayers {
  const map = (entries: Entries = {}): ReadonlyMap<string, string> =>
    new Map(Object.entries(entries));
  return { broker: map(given.broker), cluster: map(given.cluster), fixed: map(given.fixed) };
}

function shown(synonyms: readonly ConfigSynonym[]): readonly string[] {
  return synonyms.map(({ name, value, source }) => `${source}:${name}=${value}`);
}

function topicValue(name: string, configs: Entries, layers: BrokerLayers): unknown {
  const definition = topicConfigs.get(name);
  if (definition === undefined) throw new Error(`no such key: ${name}`);
  const { text, source, synonyms } = topicConfig(
    definition,
    new Map(Object.entries(configs)),
    layers,
  );
  return { text, source, synonyms: shown(synonyms) };
}

describe("a broker's config", () => {
  it("comes from the strongest layer and lists what that overrides", () => {
    const layers = layersOf({
      broker: { "message.max.bytes": "4" },
      cluster: { "message.max.bytes": "3" },
      fixed: { "message.max.bytes": " 2 " },
    });
    const config = brokerConfig("message.max.bytes", layers);
    expect(config?.value).toBe(4);
    expect(config?.source).toBe("dynamicBroker");
    expect(shown(config?.synonyms ?? [])).toEqual([
      "dynamicBroker:message.max.bytes=4",
      "dynamicDefaultBroker:message.max.bytes=3",
      "staticBroker:message.max.bytes= 2 ",
      "default:message.max.bytes=1048588",
    ]);
    const weaker = brokerConfig(
      "message.max.bytes",
      layersOf({ fixed: { "message.max.bytes": " 2 " } }),
    );
    expect([weaker?.text, weaker?.source]).toEqual(["2", "staticBroker"]);
  });

  it("without a value of its own has no synonyms, whatever stands in for it", () => {
    const config = brokerConfig(
      "log.retention.ms",
      layersOf({ fixed: { "log.retention.hours": "1" } }),
    );
    expect(config).toMatchObject({ text: null, value: null, source: "default", synonyms: [] });
  });

  it("is undefined when nobody knows the key", () => {
    expect(brokerConfig("no.such.key", layersOf({}))).toBeUndefined();
  });
});

describe("a topic's config", () => {
  it("is the topic's own, before everything of the broker", () => {
    const layers = layersOf({ broker: { "log.retention.ms": " 7000 " } });
    expect(topicValue("retention.ms", { "retention.ms": " 8000 " }, layers)).toEqual({
      text: "8000",
      source: "topic",
      synonyms: [
        "topic:retention.ms=8000",
        "dynamicBroker:log.retention.ms= 7000 ",
        "default:log.retention.hours=168",
      ],
    });
  });

  it("follows the broker's smallest unit that is set", () => {
    const hours = { "log.retention.hours": "2" };
    const minutes = { ...hours, "log.retention.minutes": "3" };
    expect(topicValue("retention.ms", {}, layersOf({ fixed: hours }))).toEqual({
      text: "7200000",
      source: "default",
      synonyms: [],
    });
    expect(topicValue("retention.ms", {}, layersOf({ fixed: minutes }))).toMatchObject({
      text: "180000",
    });
    const forever = layersOf({ fixed: { "log.retention.hours": "-1" } });
    expect(topicValue("retention.ms", {}, forever)).toMatchObject({ text: "-1" });
  });

  it("tells of no broker's key where Kafka has none, though one gives the default", () => {
    const layers = layersOf({ fixed: { "remote.log.storage.system.enable": "true" } });
    const name = "remote.storage.enable";
    const text = "true";
    expect(topicValue(name, {}, layers)).toEqual({ text, source: "default", synonyms: [] });
    expect(topicValue(name, { [name]: "false" }, layers)).toEqual({
      ...{ text: "false", source: "topic" },
      synonyms: [`topic:${name}=false`],
    });
  });

  it("has Kafka's defaults, typed, with int64's largest as no bound", () => {
    expect(topicSettings(new Map(), layersOf({}))).toMatchObject({
      durability: "local",
      segmentBytes: 1_073_741_824,
      segmentMs: 604_800_000,
      retentionMs: 604_800_000,
      retentionBytes: -1,
      flushMessages: Number.MAX_SAFE_INTEGER,
      flushMs: Number.MAX_SAFE_INTEGER,
      maxMessageBytes: 1_048_588,
      cleanupPolicy: { compact: false, delete: true },
      compressionType: "producer",
      messageTimestampType: "CreateTime",
      messageTimestampAfterMaxMs: 3_600_000,
    });
  });

  it("reads every key that it sets", () => {
    const configs = new Map([
      ["cleanup.policy", "compact, delete"],
      ["compression.type", "zstd"],
      ["millrace.durability", "journal"],
      ["message.timestamp.type", "LogAppendTime"],
      ["min.cleanable.dirty.ratio", "0.1"],
      ["preallocate", "true"],
    ]);
    expect(topicSettings(configs, layersOf({}))).toMatchObject({
      cleanupPolicy: { compact: true, delete: true },
      compressionType: "zstd",
      durability: "journal",
      messageTimestampType: "LogAppendTime",
      minCleanableDirtyRatio: 0.1,
      preallocate: true,
    });
    const layers = layersOf({ cluster: { "millrace.durability": "journal" } });
    expect(topicSettings(new Map(), layers).durability).toBe("journal");
  });
});
