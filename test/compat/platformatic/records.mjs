/** Produced and consumed records, and what the broker refuses. */
import {
  compatibilityPartitioner,
  Consumer,
  Producer,
  stringSerializers,
} from "@platformatic/kafka";
import { attempt, emit, text, until } from "./transcript.mjs";

const FIRST_TIMESTAMP = 1_700_000_000_000n;
const AN_HOUR_MS = 3_600_000;
/** Records with old timestamps, kept when the broker looks for expired ones. */
const KEPT = { "retention.ms": "-1" };

async function withProducer({ connection }, options, use) {
  const producer = new Producer({
    ...connection,
    serializers: stringSerializers,
    partitioner: compatibilityPartitioner,
    ...options,
  });
  try {
    return await use(producer);
  } finally {
    await producer.close();
  }
}

export async function createTopic({ admin }, topic, partitions, configs = {}) {
  const entries = Object.entries(configs).map(([name, value]) => ({ name, value }));
  await admin.createTopics({ topics: [topic], partitions, replicas: 1, configs: entries });
  // Kafka answers before its brokers have heard of the topic.
  await until(`the leaders of ${topic}`, async () => {
    try {
      const described = await admin.metadata({ topics: [topic], forceUpdate: true, retries: 0 });
      return (
        described.topics.get(topic).partitions.filter(({ leader }) => leader >= 0).length ===
        partitions
      );
    } catch {
      return false;
    }
  });
}

/**
 * Values from .. to - 1, spread over the partitions in turn, one request a partition: after a
 * refusal by one partition (a topic that was created a moment ago) this client sends the whole
 * request again.
 */
export async function produceNumbered(session, topic, { partitions, from, to }) {
  const messages = [];
  for (let i = from; i < to; i += 1)
    messages.push({ topic, value: String(i), partition: i % partitions });
  await withProducer(session, {}, async (producer) => {
    for (let partition = 0; partition < partitions; partition += 1) {
      await producer.send({
        messages: messages.filter((message) => message.partition === partition),
      });
    }
  });
}

async function listOffsets({ connection, name }, topic, timestamp) {
  const consumer = new Consumer({ ...connection, groupId: name("offsets") });
  try {
    const offsets = await consumer.listOffsets({ topics: [topic], timestamp });
    return offsets.get(topic);
  } finally {
    await consumer.close(true);
  }
}

/**
 * Reads from given offsets until the end: a stream in manual mode, in a group of its own that never
 * commits.
 */
async function readFrom(session, topic, offsets) {
  const ends = await listOffsets(session, topic, -1n);
  const total = ends.reduce(
    (sum, end, partition) => sum + Number(end - (offsets[partition] ?? 0n)),
    0,
  );
  const consumer = new Consumer({
    ...session.connection,
    groupId: session.name(`reader-of-${topic}`),
    maxWaitTime: 100,
  });
  const manual = ends.map((_, partition) => ({
    topic,
    partition,
    offset: offsets[partition] ?? 0n,
  }));
  const stream = await consumer.consume({
    topics: [topic],
    mode: "manual",
    offsets: manual,
    autocommit: false,
  });
  const messages = [];
  let failure;
  stream.on("data", (message) => messages.push(message));
  stream.on("error", (error) => {
    failure = error;
  });
  await until(`the end of ${topic}`, () => messages.length >= total || failure !== undefined);
  await consumer.close(true);
  if (failure !== undefined) throw failure;
  return messages.sort((a, b) => a.partition - b.partition || Number(a.offset - b.offset));
}

export async function codecs(session) {
  for (const codec of ["none", "gzip", "snappy", "lz4", "zstd"]) {
    const topic = session.name(`codec-${codec}`);
    const value = (i) => `value-${i};`.repeat(40);
    await createTopic(session, topic, 1);
    const messages = Array.from({ length: 20 }, (_, i) => ({
      topic,
      key: `key-${i}`,
      value: value(i),
    }));
    const sent = await withProducer(session, { compression: codec }, (producer) =>
      producer.send({ messages }),
    );
    const consumed = await readFrom(session, topic, []);
    emit(`codecs/${codec}`, {
      baseOffset: sent.offsets[0].offset,
      consumed: consumed.length,
      intact: consumed.every((message) => text(message.value) === value(Number(message.offset))),
    });
  }
}

export async function records(session) {
  const topic = session.name("records");
  await createTopic(session, topic, 3, KEPT);
  const messages = [
    {
      partition: 0,
      key: "k1",
      value: "v1",
      headers: { h: "1", empty: "" },
      timestamp: FIRST_TIMESTAMP,
    },
    { partition: 0, value: "v2" },
    { partition: 0, key: "k3" },
    { partition: 1, key: "", value: "", timestamp: FIRST_TIMESTAMP + 1000n },
    { partition: 2, timestamp: 1n },
    { partition: 2, key: "clé", value: "välue ☃" },
    ...Array.from({ length: 10 }, (_, i) => ({ key: `key-${i}`, value: "partitioned" })),
  ];
  await withProducer(session, {}, async (producer) => {
    for (const message of messages) {
      const { offsets } = await producer.send({ messages: [{ topic, ...message }] });
      const [{ partition, offset }] = offsets;
      emit("records/produced", { key: message.key ?? null, partition, offset });
    }
  });
  await emitConsumed(session, "records/consumed", topic);
}

async function emitConsumed(session, at, topic) {
  for (const message of await readFrom(session, topic, [])) {
    emit(at, {
      partition: message.partition,
      offset: message.offset,
      key: text(message.key),
      value: text(message.value),
      headers: [...message.headers].map(([key, value]) => [text(key), text(value)]),
      timestamp: when(Number(message.timestamp)),
    });
  }
}

function when(millis) {
  return Math.abs(Date.now() - millis) < AN_HOUR_MS ? "now" : millis;
}

export async function timestamps(session) {
  const topic = session.name("timestamps");
  await createTopic(session, topic, 1, { "message.timestamp.type": "LogAppendTime" });
  const messages = [{ topic, value: "v", timestamp: FIRST_TIMESTAMP }];
  await withProducer(session, {}, (producer) => producer.send({ messages }));
  await emitConsumed(session, "timestamps/consumed", topic);
}

export async function seek(session) {
  const topic = session.name("seek");
  await createTopic(session, topic, 1, KEPT);
  const messages = Array.from({ length: 10 }, (_, i) => ({
    topic,
    value: `v${i}`,
    timestamp: FIRST_TIMESTAMP + BigInt(i * 1000),
  }));
  await withProducer(session, {}, (producer) => producer.send({ messages }));
  const steps = {
    beginning: -2n,
    end: -1n,
    "before-first": FIRST_TIMESTAMP - 1n,
    between: FIRST_TIMESTAMP + 4500n,
    exactly: FIRST_TIMESTAMP + 5000n,
    "after-last": FIRST_TIMESTAMP + 9001n,
  };
  for (const [step, timestamp] of Object.entries(steps)) {
    emit(`seek/${step}`, { offsets: await listOffsets(session, topic, timestamp) });
  }
  const partitions = [{ partitionIndex: 0, timestamp: -3n }];
  await attempt("seek/list-max-timestamp", async () => {
    const [listed] = await session.admin.listOffsets({ topics: [{ name: topic, partitions }] });
    return listed.partitions.map(({ offset, timestamp }) => [offset, timestamp]);
  });
  const values = (await readFrom(session, topic, [7n])).map(({ value }) => text(value));
  emit("seek/from-7", { values });
  await attempt("seek/out-of-range", () =>
    readFrom(session, topic, [11n]).then(({ length }) => length),
  );
}

export async function idempotent(session) {
  const topic = session.name("idempotent");
  await createTopic(session, topic, 1);
  await withProducer(session, { idempotent: true, acks: -1 }, async (producer) => {
    for (let i = 0; i < 200; i += 10) {
      const messages = Array.from({ length: 10 }, (_, j) => ({ topic, value: `value-${i + j}` }));
      await producer.send({ messages });
    }
  });
  const consumed = await readFrom(session, topic, []);
  const inOrder = consumed.every(
    (message, i) => text(message.value) === `value-${i}` && Number(message.offset) === i,
  );
  emit("idempotent/consumed", { records: consumed.length, inOrder });
}

export async function errors(session) {
  const { name } = session;
  await attempt("errors/offsets-of-unknown-topic", () =>
    listOffsets(session, name("nowhere"), -1n),
  );
  await createTopic(session, name("small"), 1, { "max.message.bytes": "1000" });
  await createTopic(session, name("keyed"), 1, { "cleanup.policy": "compact" });
  await withProducer(session, { autocreateTopics: true }, async (producer) => {
    const send = (step, topic, value, acks = -1) =>
      attempt(`errors/${step}`, async () => {
        const { offsets } = await producer.send({ acks, messages: [{ topic, value }] });
        return offsets?.map(({ partition, offset }) => [partition, offset]) ?? null;
      });
    await send("produce-unknown-topic-is-created", name("created"), "v");
    await send("produce-invalid-topic", name("bad name!"), "v");
    await send("produce-oversized", name("small"), "x".repeat(1001));
    await send("produce-fitting", name("small"), "x".repeat(500));
    await send("produce-over-broker-limit", name("created"), "x".repeat(1_500_000));
    await send("produce-without-key-to-compacted", name("keyed"), "v");
    await send("produce-acks-0", name("small"), "v", 0);
  });
}
