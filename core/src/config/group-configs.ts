import { atLeast, between, type ConfigDefinition, key, oneOf, tableOf } from "./definition.ts";
import { type BrokerLayers, brokerConfig, type EffectiveConfig } from "./layers.ts";
import { defaultOf } from "./value.ts";

/**
 * The configs of single groups (KIP-848, KIP-932, KIP-1071), as tools show them. They take their
 * values from the broker's key of the same name behind `group.`, where there is one.
 */
const definitions: readonly ConfigDefinition[] = [
  key("int", "consumer.session.timeout.ms", 45_000, atLeast(1)).says(
    "The session timeout of the group's members.",
  ),
  key("int", "consumer.heartbeat.interval.ms", 5000, atLeast(1)).says(
    "How often the group's members are told to send a heartbeat.",
  ),
  key("int", "consumer.assignment.interval.ms", 1000, atLeast(0)).says(
    "The least time between two assignments of the group.",
  ),
  key("int", "share.session.timeout.ms", 45_000, atLeast(1)).says(
    "The session timeout of a share group's members.",
  ),
  key("int", "share.heartbeat.interval.ms", 5000, atLeast(1)).says(
    "How often a share group's members are told to send a heartbeat.",
  ),
  key("int", "share.assignment.interval.ms", 1000, atLeast(0)).says(
    "The least time between two assignments of a share group.",
  ),
  key("int", "share.record.lock.duration.ms", 30_000, between(1000, 3_600_000)).says(
    "How long a member of a share group may hold a record.",
  ),
  key("int", "share.delivery.count.limit", 5, between(2, 10)).says(
    "How often a share group tries to deliver a record.",
  ),
  key("int", "share.partition.max.record.locks", 2000, between(100, 10_000)).says(
    "How many records of one partition a share group may hold at once.",
  ),
  key("string", "share.auto.offset.reset", "latest").says("Where a new share group begins."),
  key(
    "string",
    "share.isolation.level",
    "read_uncommitted",
    oneOf("read_committed", "read_uncommitted"),
  ).says("Whether a share group sees records of open and aborted transactions."),
  key("boolean", "share.renew.acknowledge.enable", true).says(
    "Whether a member of a share group may hold a record for longer.",
  ),
  key("int", "streams.session.timeout.ms", 45_000, atLeast(1)).says(
    "The session timeout of a streams group's members.",
  ),
  key("int", "streams.heartbeat.interval.ms", 5000, atLeast(1)).says(
    "How often a streams group's members are told to send a heartbeat.",
  ),
  key("int", "streams.assignment.interval.ms", 1000, atLeast(0)).says(
    "The least time between two assignments of a streams group.",
  ),
  key("int", "streams.initial.rebalance.delay.ms", 3000, atLeast(0)).says(
    "How long an empty streams group waits for more members.",
  ),
  key("int", "streams.num.standby.replicas", 0, atLeast(0)).says(
    "How many standbys each task of a streams group has.",
  ),
];

export const groupConfigs: ReadonlyMap<string, ConfigDefinition> = tableOf(definitions);

/** A group key's value: the broker's, or the default. */
export function groupConfig(definition: ConfigDefinition, layers: BrokerLayers): EffectiveConfig {
  const { defaultValue: text } = definition;
  const broker = brokerConfig(`group.${definition.name}`, layers);
  if (broker !== undefined) return { ...broker, definition };
  return { definition, text, value: defaultOf(definition), source: "default", synonyms: [] };
}
