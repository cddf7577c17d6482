/** What the admin client does with topics and configs. */
import { ConfigResourceTypes, IncrementalAlterConfigOperationTypes } from "@platformatic/kafka";
import { createTopic } from "./records.mjs";
import { attempt, emit, letSpread } from "./transcript.mjs";

const BROKER_CONFIGS = [
  "auto.create.topics.enable",
  "log.cleanup.policy",
  "message.max.bytes",
  "num.partitions",
];

export async function cluster({ admin }) {
  const described = await admin.metadata({ topics: [] });
  emit("cluster/describe", {
    nodes: described.brokers.size,
    controllerIsANode: described.brokers.has(described.controllerId),
    clusterIdIsSet: described.id !== "",
  });
}

export async function topics({ admin, name, prefix }) {
  const topic = name("topics");
  const create = (at, definition, configs = {}) =>
    attempt(`topics/${at}`, async () => {
      const entries = Object.entries(configs).map(([key, value]) => ({ name: key, value }));
      const options = { topics: [{ partitions: 1, replicas: 1, ...definition }], configs: entries };
      const [created] = await admin.createTopics(options);
      return [created.partitions, created.replicas];
    });
  await create(
    "create",
    { topic, partitions: 3 },
    { "retention.ms": "3600000", "cleanup.policy": "compact" },
  );
  await create("create-again", { topic, partitions: 3 });
  await create("create-invalid-name", { topic: name("bad name!") });
  await create("create-unknown-config", { topic: name("unknown") }, { "no.such.config": "1" });
  await create(
    "create-invalid-config-value",
    { topic: name("invalid") },
    { "retention.ms": "soon" },
  );
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
      admin.createPartitions({
        topics: [{ name: target, count, assignments: null }],
        validateOnly: false,
      }),
    );
  await add("add-partitions", topic, 5);
  await add("add-partitions-fewer", topic, 4);
  await add("add-partitions-unknown", name("nowhere"), 5);
  await letSpread();
  await emitDescription(admin, "topics/describe-after-adding", topic);
  await attempt("topics/delete", () => admin.deleteTopics({ topics: [topic] }));
  await attempt("topics/delete-again", () => admin.deleteTopics({ topics: [topic] }));
  await list("list-after-deleting");
  await create("create-replication-3", { topic: name("rf3"), replicas: 3 });
}

async function emitDescription(admin, at, topic) {
  await attempt(at, async () => {
    const described = await admin.metadata({ topics: [topic], forceUpdate: true, retries: 0 });
    const { partitions } = described.topics.get(topic);
    return partitions.map(({ leader, replicas, isr }) => [
      leader >= 0,
      replicas.length,
      isr.length,
    ]);
  });
}

export async function configs({ admin, name }) {
  const topic = name("configs");
  await createTopic({ admin }, topic, 1, { "segment.bytes": "1048576" });
  for (const entry of await describe(admin, ConfigResourceTypes.TOPIC, topic)) {
    if (entry.name.startsWith("millrace.")) continue;
    emit(`configs/topic/${entry.name}`, {
      value: entry.value,
      source: entry.configSource,
      type: entry.configType,
      readOnly: entry.readOnly,
      sensitive: entry.isSensitive,
    });
  }
  const alter = (at, operation, config, value, target = topic) =>
    attempt(`configs/${at}`, () => {
      const change = [{ name: config, configOperation: operation, value }];
      const resource = {
        resourceType: ConfigResourceTypes.TOPIC,
        resourceName: target,
        configs: change,
      };
      return admin.incrementalAlterConfigs({ resources: [resource], validateOnly: false });
    });
  const { SET, APPEND, SUBTRACT, DELETE } = IncrementalAlterConfigOperationTypes;
  await alter("set", SET, "retention.ms", "60000");
  await alter("append", APPEND, "cleanup.policy", "compact");
  await emitChosen(admin, "configs/after-setting", topic);
  await alter("subtract", SUBTRACT, "cleanup.policy", "delete");
  await alter("delete", DELETE, "retention.ms", null);
  await emitChosen(admin, "configs/after-deleting", topic);
  await alter("invalid-value", SET, "retention.ms", "soon");
  await alter("alter-unknown-topic", SET, "retention.ms", "1", name("nowhere"));
  await attempt("configs/describe-unknown-topic", () =>
    describe(admin, ConfigResourceTypes.TOPIC, name("nowhere")),
  );
  const { brokers } = await admin.metadata({ topics: [] });
  const broker = await describe(admin, ConfigResourceTypes.BROKER, String([...brokers.keys()][0]));
  for (const config of BROKER_CONFIGS) {
    emit(`configs/broker/${config}`, {
      value: broker.find((entry) => entry.name === config)?.value ?? "(absent)",
    });
  }
}

async function emitChosen(admin, at, topic) {
  await letSpread();
  const described = await describe(admin, ConfigResourceTypes.TOPIC, topic);
  const chosen = described.filter((entry) =>
    ["cleanup.policy", "retention.ms"].includes(entry.name),
  );
  emit(at, { configs: chosen.map((entry) => [entry.name, entry.value, entry.configSource]) });
}

async function describe(admin, resourceType, resourceName) {
  const resources = [{ resourceType, resourceName, configurationKeys: null }];
  const [described] = await admin.describeConfigs({ resources });
  return described.configs.sort((a, b) => (a.name < b.name ? -1 : 1));
}
