import {
  type ListenerSecurity,
  listenerSecurity,
  type ParsedSecurity,
} from "../security/listener-security.ts";
import { superUsers } from "../security/super-users.ts";
import { brokerConfigs, isIgnoredBrokerConfig } from "./broker-configs.ts";
import { BrokerValues } from "./broker-values.ts";
import { listenerKey } from "./security-configs.ts";
import { topicDefaultFault } from "./topic-defaults.ts";
import {
  type MetadataStoreSettings,
  metadataStoreIn,
  type ObjectStoreSettings,
  objectStoreIn,
  storeDefaults,
  storeFaults,
} from "./store-settings.ts";
import { parseConfig } from "./value.ts";

/** What a topic's acknowledged write has survived. */
export type Durability = "local" | "journal";

/**
 * The broker's settings, typed: Kafka's names in camel case, units where Kafka puts them. A number
 * at 2^53 - 1 means "never" or "no bound". `undefined` means that the key has no value.
 */
export interface Settings {
  readonly nodeId: number;
  readonly brokerRack: string | undefined;
  readonly listeners: readonly string[];
  readonly advertisedListeners: readonly string[];
  readonly listenerSecurityProtocolMap: string;
  /** What each of `listeners` demands of its clients. */
  readonly security: readonly ListenerSecurity[];
  readonly saslServerMaxReceiveSize: number;
  readonly connectionFailedAuthenticationDelayMs: number;
  /** Undefined: none is made at the start. */
  readonly admin: { readonly user: string; readonly password: string } | undefined;
  /** Principals who alone may change credentials; undefined: everybody may. */
  readonly superUsers: ReadonlySet<string> | undefined;
  /** The data directory: the first of `log.dirs`, or of `log.dir`. */
  readonly logDir: string;
  readonly slots: number;
  readonly httpPort: number;
  /** 0: never. */
  readonly signalsLogIntervalMs: number;

  readonly socketSendBufferBytes: number;
  readonly socketReceiveBufferBytes: number;
  readonly socketRequestMaxBytes: number;
  readonly socketListenBacklogSize: number;
  readonly maxConnections: number;
  readonly maxConnectionsPerIp: number;
  readonly maxConnectionsPerIpOverrides: ReadonlyMap<string, number>;
  readonly maxConnectionCreationRate: number;
  readonly connectionsMaxIdleMs: number;
  readonly queuedMaxRequests: number;
  /** -1: the broker's own bound. */
  readonly queuedMaxRequestBytes: number;

  readonly fetchMaxBytes: number;
  readonly messageMaxBytes: number;
  readonly maxIncrementalFetchSessionCacheSlots: number;
  readonly maxRequestPartitionSizeLimit: number;
  readonly autoCreateTopicsEnable: boolean;
  readonly deleteTopicEnable: boolean;
  readonly numPartitions: number;
  readonly defaultReplicationFactor: number;
  readonly durability: Durability;
  /** Undefined: none. */
  readonly objectStore: ObjectStoreSettings | undefined;
  /** Undefined: the broker is alone in its cluster, and has its own. */
  readonly metadataStore: MetadataStoreSettings | undefined;
  readonly logRetentionCheckIntervalMs: number;
  readonly logCleanerEnable: boolean;
  /** Bytes of the key map of one log that is compacted. */
  readonly logCleanerDedupeBufferSize: number;
  readonly logCleanerIoMaxBytesPerSecond: number;
  readonly logCleanerBackoffMs: number;
  readonly logFlushSchedulerIntervalMs: number;

  readonly groupMinSessionTimeoutMs: number;
  readonly groupMaxSessionTimeoutMs: number;
  readonly groupInitialRebalanceDelayMs: number;
  readonly groupMaxSize: number;
  readonly groupCoordinatorRebalanceProtocols: readonly string[];
  readonly offsetMetadataMaxBytes: number;
  readonly offsetsRetentionMinutes: number;
  readonly offsetsRetentionCheckIntervalMs: number;
  readonly offsetsCommitTimeoutMs: number;
  readonly offsetsTopicNumPartitions: number;
  readonly offsetsTopicReplicationFactor: number;
  readonly transactionStateLogNumPartitions: number;
  readonly transactionStateLogReplicationFactor: number;
  readonly transactionMaxTimeoutMs: number;
  readonly transactionalIdExpirationMs: number;
  readonly producerIdExpirationMs: number;
}

export interface ParsedSettings {
  readonly settings: Settings;
  /** The entries that Millrace knows, as they were given: `Cluster.open` wants them. */
  readonly known: ReadonlyMap<string, string>;
  /** Keys that neither Kafka nor Millrace has, sorted: worth a warning. */
  readonly unknown: readonly string[];
  /** Kafka's keys that mean nothing here, sorted. */
  readonly ignored: readonly string[];
  /** Why values were not taken, one sentence each; a broker must not start with any. */
  readonly invalid: readonly string[];
}

/** Settings from `server.properties`-like entries. Where a value is invalid, its default stands. */
export function parseSettings(entries: ReadonlyMap<string, string>): ParsedSettings {
  const unknown: string[] = [];
  const ignored: string[] = [];
  const invalid: string[] = [];
  const known = new Map<string, string>();
  for (const [name, raw] of entries) {
    const general = listenerKey(name);
    const definition = brokerConfigs.get(general ?? name);
    if (definition === undefined && general !== undefined) {
      known.set(name, raw);
      continue;
    }
    if (definition === undefined) {
      (isIgnoredBrokerConfig(name) ? ignored : unknown).push(name);
      continue;
    }
    const parsed = parseConfig(definition, raw);
    const fault = parsed.ok ? topicDefaultFault(name, parsed.text) : parsed.message;
    if (fault === undefined) known.set(name, raw);
    else invalid.push(fault);
  }
  for (const [name, value] of storeDefaults(known)) known.set(name, value);
  const values = new BrokerValues(known);
  const security = securityIn(values);
  const settings = settingsFrom(values, security);
  invalid.push(...contradictions(settings, known), ...security.faults);
  return { settings, known, unknown: unknown.sort(), ignored: ignored.sort(), invalid };
}

function settingsFrom(values: BrokerValues, { listeners }: ParsedSecurity): Settings {
  return {
    ...identitySettings(values),
    ...authentication(values),
    security: listeners,
    ...networkSettings(values),
    ...topicDefaults(values),
    ...coordinatorSettings(values),
  };
}

type Identity =
  | "nodeId"
  | "brokerRack"
  | "listeners"
  | "advertisedListeners"
  | "listenerSecurityProtocolMap"
  | "logDir"
  | "slots"
  | "httpPort"
  | "signalsLogIntervalMs";

function identitySettings(values: BrokerValues): Pick<Settings, Identity> {
  const directories = values.has("log.dirs") ? values.list("log.dirs") : values.list("log.dir");
  const idKey = values.has("node.id") || !values.has("broker.id") ? "node.id" : "broker.id";
  return {
    nodeId: values.number(idKey),
    brokerRack: values.optionalText("broker.rack"),
    listeners: values.list("listeners"),
    advertisedListeners: values.list("advertised.listeners"),
    listenerSecurityProtocolMap: values.text("listener.security.protocol.map"),
    logDir: directories[0] ?? "",
    slots: values.number("millrace.slots"),
    httpPort: values.number("millrace.http.port"),
    signalsLogIntervalMs: values.number("millrace.signals.log.interval.ms"),
  };
}

type Authentication =
  | "security"
  | "saslServerMaxReceiveSize"
  | "connectionFailedAuthenticationDelayMs"
  | "admin"
  | "superUsers";

function authentication(values: BrokerValues): Omit<Pick<Settings, Authentication>, "security"> {
  const user = values.optionalText("millrace.admin.user");
  const password = values.optionalText("millrace.admin.password");
  return {
    saslServerMaxReceiveSize: values.number("sasl.server.max.receive.size"),
    connectionFailedAuthenticationDelayMs: values.number(
      "connection.failed.authentication.delay.ms",
    ),
    admin: user === undefined || password === undefined ? undefined : { user, password },
    superUsers: superUsers(values.text("super.users"), user),
  };
}

function securityIn(values: BrokerValues): ParsedSecurity {
  return listenerSecurity({
    listeners: values.list("listeners"),
    protocolMap: values.text("listener.security.protocol.map"),
    own: (name) => values.own(name),
    common: (name) => values.own(name) ?? brokerConfigs.get(name)?.defaultValue ?? "",
  });
}

type Network =
  | "socketSendBufferBytes"
  | "socketReceiveBufferBytes"
  | "socketRequestMaxBytes"
  | "socketListenBacklogSize"
  | "maxConnections"
  | "maxConnectionsPerIp"
  | "maxConnectionsPerIpOverrides"
  | "maxConnectionCreationRate"
  | "connectionsMaxIdleMs"
  | "queuedMaxRequests"
  | "queuedMaxRequestBytes"
  | "fetchMaxBytes"
  | "maxIncrementalFetchSessionCacheSlots"
  | "maxRequestPartitionSizeLimit";

function networkSettings(values: BrokerValues): Pick<Settings, Network> {
  return {
    socketSendBufferBytes: values.number("socket.send.buffer.bytes"),
    socketReceiveBufferBytes: values.number("socket.receive.buffer.bytes"),
    socketRequestMaxBytes: values.number("socket.request.max.bytes"),
    socketListenBacklogSize: values.number("socket.listen.backlog.size"),
    maxConnections: values.number("max.connections"),
    maxConnectionsPerIp: values.number("max.connections.per.ip"),
    maxConnectionsPerIpOverrides: overrides(values.text("max.connections.per.ip.overrides")),
    maxConnectionCreationRate: values.number("max.connection.creation.rate"),
    connectionsMaxIdleMs: values.number("connections.max.idle.ms"),
    queuedMaxRequests: values.number("queued.max.requests"),
    queuedMaxRequestBytes: values.number("queued.max.request.bytes"),
    fetchMaxBytes: values.number("fetch.max.bytes"),
    maxIncrementalFetchSessionCacheSlots: values.number(
      "max.incremental.fetch.session.cache.slots",
    ),
    maxRequestPartitionSizeLimit: values.number("max.request.partition.size.limit"),
  };
}

type TopicDefaults =
  | "messageMaxBytes"
  | "autoCreateTopicsEnable"
  | "deleteTopicEnable"
  | "numPartitions"
  | "defaultReplicationFactor"
  | "durability"
  | "objectStore"
  | "metadataStore"
  | "logRetentionCheckIntervalMs"
  | "logCleanerEnable"
  | "logCleanerDedupeBufferSize"
  | "logCleanerIoMaxBytesPerSecond"
  | "logCleanerBackoffMs"
  | "logFlushSchedulerIntervalMs";

function topicDefaults(values: BrokerValues): Pick<Settings, TopicDefaults> {
  return {
    messageMaxBytes: values.number("message.max.bytes"),
    autoCreateTopicsEnable: values.flag("auto.create.topics.enable"),
    deleteTopicEnable: values.flag("delete.topic.enable"),
    numPartitions: values.number("num.partitions"),
    defaultReplicationFactor: values.number("default.replication.factor"),
    durability: values.text("millrace.durability") === "journal" ? "journal" : "local",
    objectStore: objectStoreIn(values),
    metadataStore: metadataStoreIn(values),
    logRetentionCheckIntervalMs: values.number("log.retention.check.interval.ms"),
    logCleanerEnable: values.flag("log.cleaner.enable"),
    logCleanerDedupeBufferSize: values.number("log.cleaner.dedupe.buffer.size"),
    logCleanerIoMaxBytesPerSecond: values.number("log.cleaner.io.max.bytes.per.second"),
    logCleanerBackoffMs: values.number("log.cleaner.backoff.ms"),
    logFlushSchedulerIntervalMs: values.number("log.flush.scheduler.interval.ms"),
  };
}

type Coordinator = Exclude<keyof Settings, Identity | Authentication | Network | TopicDefaults>;

function coordinatorSettings(values: BrokerValues): Pick<Settings, Coordinator> {
  return {
    groupMinSessionTimeoutMs: values.number("group.min.session.timeout.ms"),
    groupMaxSessionTimeoutMs: values.number("group.max.session.timeout.ms"),
    groupInitialRebalanceDelayMs: values.number("group.initial.rebalance.delay.ms"),
    groupMaxSize: values.number("group.max.size"),
    groupCoordinatorRebalanceProtocols: values.list("group.coordinator.rebalance.protocols"),
    offsetMetadataMaxBytes: values.number("offset.metadata.max.bytes"),
    offsetsRetentionMinutes: values.number("offsets.retention.minutes"),
    offsetsRetentionCheckIntervalMs: values.number("offsets.retention.check.interval.ms"),
    offsetsCommitTimeoutMs: values.number("offsets.commit.timeout.ms"),
    offsetsTopicNumPartitions: values.number("offsets.topic.num.partitions"),
    offsetsTopicReplicationFactor: values.number("offsets.topic.replication.factor"),
    transactionStateLogNumPartitions: values.number("transaction.state.log.num.partitions"),
    transactionStateLogReplicationFactor: values.number("transaction.state.log.replication.factor"),
    transactionMaxTimeoutMs: values.number("transaction.max.timeout.ms"),
    transactionalIdExpirationMs: values.number("transactional.id.expiration.ms"),
    producerIdExpirationMs: values.number("producer.id.expiration.ms"),
  };
}

/** `host:count` pairs; a pair that is not one is reported by `contradictions`. */
function overrides(text: string): ReadonlyMap<string, number> {
  const map = new Map<string, number>();
  for (const pair of text.split(",")) {
    const [, host, count] = /^(.+):([0-9]{1,10})$/u.exec(pair.trim()) ?? [];
    if (host !== undefined && count !== undefined) map.set(host, Number(count));
  }
  return map;
}

function contradictions(settings: Settings, known: ReadonlyMap<string, string>): string[] {
  const faults: string[] = [];
  if (known.has("node.id") && known.has("broker.id")) {
    const [node, broker] = [known.get("node.id")?.trim(), known.get("broker.id")?.trim()];
    if (node !== broker) faults.push("node.id and broker.id differ");
  }
  if (settings.nodeId < 0) faults.push("node.id must be 0 or more");
  if (settings.listeners.length === 0) faults.push("listeners must name at least one listener");
  const directories = (known.get("log.dirs") ?? known.get("log.dir") ?? "").split(",");
  if (directories.length > 1) faults.push("log.dirs must name one directory");
  if (settings.groupMinSessionTimeoutMs > settings.groupMaxSessionTimeoutMs) {
    faults.push("group.min.session.timeout.ms is above group.max.session.timeout.ms");
  }
  const isSet = (key: string): boolean => (known.get(key) ?? "") !== "";
  if (isSet("millrace.admin.user") !== isSet("millrace.admin.password")) {
    faults.push("millrace.admin.user and millrace.admin.password go together");
  }
  faults.push(...storeFaults(settings, known));
  const pairs = known.get("max.connections.per.ip.overrides")?.trim() ?? "";
  if (pairs !== "" && settings.maxConnectionsPerIpOverrides.size !== pairs.split(",").length) {
    faults.push(`max.connections.per.ip.overrides is not a list of host:count pairs: ${pairs}`);
  }
  return faults;
}
