import { brokerNetworkConfigs } from "./broker-network-configs.ts";
import { brokerCoordinatorConfigs } from "./broker-coordinator-configs.ts";
import { brokerLogConfigs } from "./broker-log-configs.ts";
import { type ConfigDefinition, tableOf } from "./definition.ts";
import { securityConfigs } from "./security-configs.ts";

/** Every broker key that Millrace knows, by name. */
export const brokerConfigs: ReadonlyMap<string, ConfigDefinition> = tableOf([
  ...brokerNetworkConfigs,
  ...securityConfigs,
  ...brokerLogConfigs,
  ...brokerCoordinatorConfigs,
]);

/**
 * Families of Kafka's broker keys that have no meaning here: there is no quorum of controllers, no
 * remote log plug-in, no Java class path. They are accepted silently, so that a `server.properties`
 * or an environment written for Kafka starts Millrace as it is.
 */
export const ignoredFamilies: readonly string[] = [
  "alter.log.dirs.",
  "client.quota.",
  "config.providers",
  "controller.",
  "delegation.token.",
  "early.start.listeners",
  "group.share.",
  "group.streams.",
  "kafka.metrics.",
  "listener.name.",
  "metadata.",
  "principal.builder.class",
  "remote.",
  "sasl.",
  "security.",
  "share.",
  "ssl.",
  "telemetry.",
  "zookeeper.",
];

/** Whether `name` is a key of Kafka's that Millrace accepts and leaves alone. */
export function isIgnoredBrokerConfig(name: string): boolean {
  return ignoredFamilies.some((family) => name.startsWith(family));
}
