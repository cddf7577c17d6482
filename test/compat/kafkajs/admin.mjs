/** What the admin client does with topics and configs. */
import kafkajs from "kafkajs";
import { attempt, emit, letSpread } from "./transcript.mjs";

const { ConfigResourceTypes } = kafkajs;
const BROKER_CONFIGS = [
  "auto.create.topics.enable",
  "log.cleanup.policy",
  "message.max.bytes",
  "num.partitions",
];

export async function cluster({ admin }) {
  const described = await admin.describeCluster();
  emit("cluster/describe", {
    nodes: described.brokers.length,
    controllerIsANode: described.brokers.some(({ nodeId }) => nodeId === described.controller),
    clusterIdIsSet: described.clusterId !== "",
  });
}

export async function topics({ admin, name, prefix }) {
  const topic = name("topics");
  const create = (at, definition, options = {}) =>
    attempt(`topics/${at}`, () =>
      admin.createTopics({
        topics: [{ numPartitions: 1, replicationFactor: 1, ...definition }],
        ...options,
      }),
    );
  const configEntries = (entries) =>
    Object.entries(entries).map(([key, value]) => ({ name: key, value }));
  await create("create", {
    topic,
    numPartitions: 3,
    configEntries: configEntries({ "retention.ms": "3600000", "cleanup.policy": "compact" }),
  });
  await create("create-again", { topic, numPartitions: 3 });
  await create("create-invalid-name", { topic: name("bad name!") });
  await create("create-zero-partitions", { topic: name("zero"), numPartitions: 0 });
  await create("create-replication-0", { topic: name("rf0"), replicationFactor: 0 });
  await create("create-unknown-config", {
    topic: name("unknown"),
    configEntries: configEntries({ "no.such.config": "1" }),
  });
  await create("create-invalid-config-value", {
    topic: name("invalid"),
    configEntries: configEntries({ "retention.ms": "soon" }),
  });
  await create("validate-only", { topic: name("validated") }, { validateOnly: true });
  const list = async (at) => {
    await letSpread();
    const all = await admin.listTopics();
    emit(`topics/${at}`, { topics: all.filter((other) => other.startsWith(prefix)).sort() });
  };
  await list("list");
  await emitDescription(admin, "topics/describe", topic);
  await emitDescription(admin, "topics/describe-unknown", name("nowhere"));
  const add = (at, target, count) =>
    attempt(`topics/${at}`, () =>
      admin.createPartitions({ topicPartitions: [{ topic: target, count }] }),
    );
  await add("add-partitions", topic, 5);
  await add("add-partitions-fewer", topic, 4);
  await add("add-partitions-unknown", name("nowhere"), 5);
  await letSpread();
  await emitDescription(admin, "topics/describe-after-adding", topic);
  await attempt("topics/delete", () => admin.deleteTopics({ topics: [topic] }));
  await attempt("topics/delete-again", () => admin.deleteTopics({ topics: [topic] }));
  await list("list-after-deleting");
  await create("create-replication-3", { topic: name("rf3"), replicationFactor: 3 });
}

async function emitDescription(admin, at, topic) {
  await attempt(at, async () => {
    const described = await admin.fetchTopicMetadata({ topics: [topic] });
    return described.topics[0].partitions
      .map(({ partitionErrorCode, partitionId, leader, replicas, isr }) => [
        partitionId,
        leader >= 0,
        replicas.length,
        isr.length,
        partitionErrorCode,
      ])
      .sort(([a], [b]) => a - b);
  });
}

export async function configs({ admin, name }) {
  const topic = name("configs");
  const segmentBytes = [{ name: "segment.bytes", value: "1048576" }];
  await admin.createTopics({ topics: [{ topic, numPartitions: 1, configEntries: segmentBytes }] });
  for (const entry of await describe(admin, ConfigResourceTypes.TOPIC, topic)) {
    if (entry.configName.startsWith("millrace.")) continue;
    emit(`configs/topic/${entry.configName}`, {
      value: entry.configValue,
      source: entry.configSource,
      readOnly: entry.readOnly,
      sensitive: entry.isSensitive,
    });
  }
  const alter = (target, value) =>
    admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: ConfigResourceTypes.TOPIC,
          name: target,
          configEntries: [{ name: "retention.ms", value }],
        },
      ],
    });
  await attempt("configs/replace", () => alter(topic, "90000").then(() => undefined));
  await letSpread();
  const after = await describe(admin, ConfigResourceTypes.TOPIC, topic);
  emit("configs/after-replacing", {
    configs: after
      .filter(({ configName }) => ["retention.ms", "segment.bytes"].includes(configName))
      .map(({ configName, configValue, configSource }) => [configName, configValue, configSource]),
  });
  await attempt("configs/invalid-value", () => alter(topic, "soon"));
  await attempt("configs/alter-unknown-topic", () => alter(name("nowhere"), "1"));
  await attempt("configs/describe-unknown-topic", () =>
    describe(admin, ConfigResourceTypes.TOPIC, name("nowhere")),
  );
  const { brokers } = await admin.describeCluster();
  const broker = await describe(admin, ConfigResourceTypes.BROKER, String(brokers[0].nodeId));
  for (const config of BROKER_CONFIGS) {
    const entry = broker.find(({ configName }) => configName === config);
    emit(`configs/broker/${config}`, { value: entry?.configValue ?? "(absent)" });
  }
}

async function describe(admin, type, name) {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type, name }],
  });
  return resources[0].configEntries.sort((a, b) => (a.configName < b.configName ? -1 : 1));
}
