import {
  atLeast,
  between,
  type ConfigDefinition,
  key,
  maxInt32,
  oneOf,
  someOf,
} from "./definition.ts";

const protocolMap = "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT";

/** Identity, listeners, connections, requests and topics of a broker. */
export const brokerNetworkConfigs: readonly ConfigDefinition[] = [
  key("int", "node.id", 1, atLeast(0)).says("The id that clients see for this broker."),
  key("int", "broker.id", -1).says("An older name of node.id, used when only it is given."),
  key("string", "broker.rack", null).says("The rack or zone of this broker, shown in metadata."),
  key("list", "process.roles", "broker,controller", someOf("broker", "controller")).says(
    "Accepted as in Kafka; one process always plays every role.",
  ),
  key("list", "listeners", "PLAINTEXT://:9092").says(
    "Where the broker listens, as NAME://host:port, separated by commas.",
  ),
  key("list", "advertised.listeners", null).says(
    "The addresses that clients are told to connect to; by default those of listeners.",
  ),
  key("string", "listener.security.protocol.map", protocolMap).says(
    "Which protocol each listener speaks: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.",
  ),
  key("string", "inter.broker.listener.name", null).says(
    "Accepted as in Kafka; brokers meet in their stores and do not talk to each other.",
  ),
  key("int", "socket.send.buffer.bytes", 102_400).says(
    "Accepted as in Kafka; the operating system sizes the buffers of sockets.",
  ),
  key("int", "socket.receive.buffer.bytes", 102_400).says(
    "Accepted as in Kafka; the operating system sizes the buffers of sockets.",
  ),
  key("int", "socket.request.max.bytes", 104_857_600, atLeast(1)).says(
    "The largest request; a larger one closes its connection.",
  ),
  key("int", "socket.listen.backlog.size", 50, atLeast(1)).says(
    "Accepted as in Kafka; the broker has a bound of its own, 511.",
  ),
  key("int", "max.connections", maxInt32, atLeast(0))
    .dynamic("clusterWide")
    .says("The most connections that are open at once."),
  key("int", "max.connections.per.ip", maxInt32, atLeast(0))
    .dynamic("clusterWide")
    .says("The most connections that are open at once from one address."),
  key("string", "max.connections.per.ip.overrides", "")
    .dynamic("clusterWide")
    .says("Other bounds than max.connections.per.ip, as host:count separated by commas."),
  key("int", "max.connection.creation.rate", maxInt32, atLeast(0))
    .dynamic("clusterWide")
    .says("Accepted as in Kafka; connections are bounded by number, not by rate."),
  key("long", "connections.max.idle.ms", 600_000).says(
    "How long a connection may be silent before it is closed.",
  ),
  key("int", "queued.max.requests", 500, atLeast(1)).says(
    "Accepted as in Kafka; requests that wait are bounded in bytes, and in number per connection.",
  ),
  key("long", "queued.max.request.bytes", -1).says(
    "How many bytes of requests may wait before no more are read; -1 sets the broker's own bound.",
  ),
  key("int", "request.timeout.ms", 30_000).says(
    "Accepted as in Kafka; the broker sends no requests of its own.",
  ),
  key("long", "socket.connection.setup.timeout.ms", 10_000).says(
    "Accepted as in Kafka; the broker opens no connections of its own.",
  ),
  key("long", "socket.connection.setup.timeout.max.ms", 30_000).says(
    "Accepted as in Kafka; the broker opens no connections of its own.",
  ),
  key("int", "num.network.threads", 3, atLeast(1))
    .dynamic("clusterWide")
    .says("Accepted as in Kafka; a process is one event loop."),
  key("int", "num.io.threads", 8, atLeast(1))
    .dynamic("clusterWide")
    .says("Accepted as in Kafka; a process is one event loop."),
  key("int", "background.threads", 10, atLeast(1))
    .dynamic("clusterWide")
    .says("Accepted as in Kafka; a process is one event loop."),
  key("int", "fetch.max.bytes", 57_671_680, atLeast(1024)).says(
    "The most bytes of records that one fetch returns, unless its first batch is larger.",
  ),
  key("int", "max.incremental.fetch.session.cache.slots", 1000, atLeast(0)).says(
    "How many fetch sessions are kept.",
  ),
  key("int", "max.request.partition.size.limit", 2000, atLeast(1)).says(
    "Accepted as in Kafka; one answer of DescribeTopicPartitions has 2,000 at most.",
  ),
  key("int", "fetch.purgatory.purge.interval.requests", 1000).says(
    "Accepted as in Kafka; a finished wait is forgotten at once.",
  ),
  key("int", "producer.purgatory.purge.interval.requests", 1000).says(
    "Accepted as in Kafka; a finished wait is forgotten at once.",
  ),
  key("int", "delete.records.purgatory.purge.interval.requests", 1).says(
    "Accepted as in Kafka; a finished wait is forgotten at once.",
  ),
  key("boolean", "auto.create.topics.enable", true).says(
    "Whether a metadata request may create the topic that it asks for.",
  ),
  key("boolean", "delete.topic.enable", true).says("Whether topics can be deleted."),
  key("int", "num.partitions", 1, atLeast(1)).says(
    "How many partitions a topic gets when its creator names no number.",
  ),
  key("int", "default.replication.factor", 1).says(
    "The replication factor of a topic when its creator names none.",
  ),
  key("class", "create.topic.policy.class.name", null).says(
    "Accepted as in Kafka; no class is loaded.",
  ),
  key("class", "alter.config.policy.class.name", null).says(
    "Accepted as in Kafka; no class is loaded.",
  ),
  key("string", "authorizer.class.name", "").says(
    "Accepted as in Kafka; no class is loaded, and everything is allowed.",
  ),
  key("boolean", "controlled.shutdown.enable", true).says(
    "Accepted as in Kafka; a stop is always an orderly one.",
  ),
  key("boolean", "auto.leader.rebalance.enable", true).says(
    "Accepted as in Kafka; slots are spread by load.",
  ),
  key("long", "leader.imbalance.check.interval.seconds", 300, atLeast(1)).says(
    "Accepted as in Kafka; slots are spread by load.",
  ),
  key("int", "initial.broker.registration.timeout.ms", 60_000).says(
    "Accepted as in Kafka; there is no registration with a controller.",
  ),
  key("int", "broker.heartbeat.interval.ms", 2000).says(
    "Accepted as in Kafka; heartbeats follow the cluster's own protocol.",
  ),
  key("int", "broker.session.timeout.ms", 9000).says(
    "Accepted as in Kafka; heartbeats follow the cluster's own protocol.",
  ),
  key("int", "quota.window.num", 11, atLeast(1)).says(
    "Accepted as in Kafka; there are no client quotas yet.",
  ),
  key("int", "quota.window.size.seconds", 1, atLeast(1)).says(
    "Accepted as in Kafka; there are no client quotas yet.",
  ),
  key("list", "metric.reporters", "")
    .dynamic("clusterWide")
    .says("Accepted as in Kafka; metrics are served over HTTP."),
  key("int", "metrics.num.samples", 2, atLeast(1)).says(
    "Accepted as in Kafka; metrics are served over HTTP.",
  ),
  key("long", "metrics.sample.window.ms", 30_000, atLeast(1)).says(
    "Accepted as in Kafka; metrics are served over HTTP.",
  ),
  key("string", "metrics.recording.level", "INFO", oneOf("INFO", "DEBUG", "TRACE")).says(
    "Accepted as in Kafka; metrics are served over HTTP.",
  ),
  key("int", "millrace.slots", 1024, between(1, 65_536)).says(
    "How many slots a new cluster has; it never changes afterwards.",
  ),
  key("int", "millrace.http.port", 8080, between(0, 65_535)).says(
    "The port of health, metrics and API over HTTP; 0 takes a free one.",
  ),
  key("int", "millrace.signals.log.interval.ms", 0, between(0, 3_600_000)).says(
    "How often the log is told of signals that are beyond what is usual; 0: never.",
  ),
];
