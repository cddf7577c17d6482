import {
  atLeast,
  type ConfigDefinition,
  key,
  maxInt32,
  oneOfAnyCase,
  someOf,
} from "./definition.ts";

const noCoordinatorThreads = "Accepted as in Kafka; coordinators run in the event loop.";
const noStateLog = "Accepted as in Kafka; the state is kept in the metadata store.";

/** Groups, offsets, producers and transactions. */
export const brokerCoordinatorConfigs: readonly ConfigDefinition[] = [
  key(
    "list",
    "group.coordinator.rebalance.protocols",
    "classic,consumer,streams",
    someOf("consumer", "classic", "share", "streams"),
  ).says("Accepted as in Kafka; the classic protocol is served."),
  key("int", "group.coordinator.threads", 4, atLeast(1)).says(noCoordinatorThreads),
  key("int", "group.coordinator.background.threads", 2, atLeast(1)).says(noCoordinatorThreads),
  key("int", "group.coordinator.append.linger.ms", -1, atLeast(-1)).says(
    "Accepted as in Kafka; writes of one block of offsets are joined for some milliseconds.",
  ),
  key("int", "group.coordinator.cached.buffer.max.bytes", 1_048_588, atLeast(524_288))
    .dynamic("clusterWide")
    .says(noStateLog),
  key("int", "offsets.commit.timeout.ms", 5000, atLeast(1)).says(
    "Accepted as in Kafka; writes to the store have a bound of their own.",
  ),
  key("int", "offsets.load.buffer.size", 5_242_880, atLeast(1)).says(noStateLog),
  key("short", "offsets.topic.replication.factor", 3, atLeast(1)).says(
    "The replication factor shown for __consumer_offsets.",
  ),
  key("int", "offsets.topic.num.partitions", 50, atLeast(1)).says(
    "How many partitions __consumer_offsets is listed with.",
  ),
  key("int", "offsets.topic.segment.bytes", 104_857_600, atLeast(1)).says(noStateLog),
  key("int", "offsets.topic.compression.codec", 0).says(noStateLog),
  key("int", "offset.metadata.max.bytes", 4096).says(
    "The most bytes of text that a commit may carry for one partition.",
  ),
  key("int", "offsets.retention.minutes", 10_080, atLeast(1)).says(
    "How long the offsets of a group without members are kept.",
  ),
  key("long", "offsets.retention.check.interval.ms", 600_000, atLeast(1)).says(
    "How often offsets are checked for their retention.",
  ),
  key("int", "group.min.session.timeout.ms", 6000).says(
    "The shortest session timeout that a member of a classic group may ask for.",
  ),
  key("int", "group.max.session.timeout.ms", 1_800_000).says(
    "The longest session timeout that a member of a classic group may ask for.",
  ),
  key("int", "group.initial.rebalance.delay.ms", 3000).says(
    "How long an empty classic group waits for more members before its first rebalance; 0 unless it is set where the broker is alone.",
  ),
  key("int", "group.max.size", maxInt32, atLeast(1)).says("The most members of a classic group."),
  key("int", "group.consumer.session.timeout.ms", 45_000, atLeast(1)).says(
    "Accepted as in Kafka; consumer groups of the newer protocol are not served yet.",
  ),
  key("int", "group.consumer.min.session.timeout.ms", 45_000, atLeast(1)).says(
    "Accepted as in Kafka; consumer groups of the newer protocol are not served yet.",
  ),
  key("int", "group.consumer.max.session.timeout.ms", 60_000, atLeast(1)).says(
    "Accepted as in Kafka; consumer groups of the newer protocol are not served yet.",
  ),
  key("int", "group.consumer.heartbeat.interval.ms", 5000, atLeast(1)).says(
    "Accepted as in Kafka; consumer groups of the newer protocol are not served yet.",
  ),
  key("int", "group.consumer.min.heartbeat.interval.ms", 5000, atLeast(1)).says(
    "Accepted as in Kafka; consumer groups of the newer protocol are not served yet.",
  ),
  key("int", "group.consumer.max.heartbeat.interval.ms", 15_000, atLeast(1)).says(
    "Accepted as in Kafka; consumer groups of the newer protocol are not served yet.",
  ),
  key("int", "group.consumer.max.size", maxInt32, atLeast(1)).says(
    "Accepted as in Kafka; consumer groups of the newer protocol are not served yet.",
  ),
  key("list", "group.consumer.assignors", "uniform,range").says(
    "Accepted as in Kafka; consumer groups of the newer protocol are not served yet.",
  ),
  key(
    "string",
    "group.consumer.migration.policy",
    "bidirectional",
    oneOfAnyCase("DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"),
  ).says("Accepted as in Kafka; consumer groups of the newer protocol are not served yet."),
  key("int", "group.consumer.assignment.interval.ms", 1000, atLeast(0))
    .dynamic("clusterWide")
    .says("Accepted as in Kafka; consumer groups of the newer protocol are not served yet."),
  key("int", "group.consumer.min.assignment.interval.ms", 0, atLeast(0)).says(
    "Accepted as in Kafka; consumer groups of the newer protocol are not served yet.",
  ),
  key("int", "group.consumer.max.assignment.interval.ms", 15_000, atLeast(0)).says(
    "Accepted as in Kafka; consumer groups of the newer protocol are not served yet.",
  ),
  key("int", "transaction.state.log.min.isr", 2, atLeast(1)).says(noStateLog),
  key("int", "transaction.state.log.load.buffer.size", 5_242_880, atLeast(1)).says(noStateLog),
  key("short", "transaction.state.log.replication.factor", 3, atLeast(1)).says(
    "The replication factor shown for __transaction_state.",
  ),
  key("int", "transaction.state.log.num.partitions", 50, atLeast(1)).says(
    "How many partitions __transaction_state is listed with.",
  ),
  key("int", "transaction.state.log.segment.bytes", 104_857_600, atLeast(1)).says(noStateLog),
  key("boolean", "transaction.partition.verification.enable", true)
    .dynamic("clusterWide")
    .says("Accepted as in Kafka; transactions are not served yet."),
  key("int", "producer.id.expiration.ms", 86_400_000, atLeast(1))
    .dynamic("clusterWide")
    .says("How long a partition remembers a producer that is silent."),
  key("int", "transactional.id.expiration.ms", 604_800_000, atLeast(1)).says(
    "Accepted as in Kafka; transactions are not served yet.",
  ),
  key("int", "transaction.max.timeout.ms", 900_000, atLeast(1)).says(
    "Accepted as in Kafka; transactions are not served yet.",
  ),
  key(
    "int",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms",
    10_000,
    atLeast(1),
  ).says("Accepted as in Kafka; transactions are not served yet."),
  key(
    "int",
    "transaction.remove.expired.transaction.cleanup.interval.ms",
    3_600_000,
    atLeast(1),
  ).says("Accepted as in Kafka; transactions are not served yet."),
  key("boolean", "transaction.two.phase.commit.enable", false).says(
    "Accepted as in Kafka; transactions are not served yet.",
  ),
  key("int", "add.partitions.to.txn.retry.backoff.max.ms", 100, atLeast(0)).says(
    "Accepted as in Kafka; transactions are not served yet.",
  ),
  key("int", "add.partitions.to.txn.retry.backoff.ms", 20, atLeast(1)).says(
    "Accepted as in Kafka; transactions are not served yet.",
  ),
];
