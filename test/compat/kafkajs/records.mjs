/** Produced and consumed records, and what the broker refuses. */
import kafkajs from "kafkajs";
import { attempt, emit, text, until } from "./transcript.mjs";

const { CompressionTypes, Partitioners } = kafkajs;
const FIRST_TIMESTAMP = 1_700_000_000_000;
const AN_HOUR_MS = 3_600_000;
/** Records with old timestamps, kept when the broker looks for expired ones. */
const KEPT = { "retention.ms": "-1" };

export async function withProducer({ kafka }, options, use) {
  const producer = kafka.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    ...options,
  });
  await producer.connect();
  try {
    return await use(producer);
  } finally {
    await producer.disconnect();
  }
}

export async function createTopic({ admin }, topic, numPartitions, configs = {}) {
  const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }));
  await admin.createTopics({
    topics: [{ topic, numPartitions, replicationFactor: 1, configEntries }],
  });
}

/**
 * Values from .. to - 1, spread over the partitions in turn, one request a partition: after a
 * refusal by one partition (a topic that was created a moment ago) this client sends the whole
 * request again.
 */
export async function produceNumbered(session, topic, { partitions, from, to }) {
  const messages = [];
  for (let i = from; i < to; i += 1) messages.push({ value: String(i), partition: i % partitions });
  await withProducer(session, {}, async (producer) => {
    for (let partition = 0; partition < partitions; partition += 1) {
      const ours = messages.filter((message) => message.partition === partition);
      await producer.send({ topic, messages: ours });
    }
  });
}

/**
 * KafkaJS has no assign: a group of its own, with no commits, reads a topic from the beginning to
 * its ends.
 */
async function readAll({ kafka, admin, name }, topic) {
  const ends = await admin.fetchTopicOffsets(topic);
  const total = ends.reduce((sum, { high }) => sum + Number(high), 0);
  const consumer = kafka.consumer({ groupId: name(`reader-of-${topic}`), maxWaitTimeInMs: 100 });
  const consumed = [];
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ partition, message }) => {
      consumed.push({ partition, message });
    },
  });
  await until(`the end of ${topic}`, () => consumed.length >= total);
  await consumer.disconnect();
  return consumed.sort(
    (a, b) => a.partition - b.partition || Number(a.message.offset) - Number(b.message.offset),
  );
}

export async function codecs(session) {
  const all = {
    none: CompressionTypes.None,
    gzip: CompressionTypes.GZIP,
    snappy: CompressionTypes.Snappy,
    lz4: CompressionTypes.LZ4,
    zstd: CompressionTypes.ZSTD,
  };
  for (const [codec, compression] of Object.entries(all)) {
    const topic = session.name(`codec-${codec}`);
    const value = (i) => `value-${i};`.repeat(40);
    await createTopic(session, topic, 1);
    const messages = Array.from({ length: 20 }, (_, i) => ({ key: `key-${i}`, value: value(i) }));
    const [sent] = await withProducer(session, {}, (producer) =>
      producer.send({ topic, compression, messages }),
    );
    const consumed = await readAll(session, topic);
    emit(`codecs/${codec}`, {
      baseOffset: sent.baseOffset,
      consumed: consumed.length,
      intact: consumed.every(
        ({ message }) => text(message.value) === value(Number(message.offset)),
      ),
    });
  }
}

export async function records(session) {
  const topic = session.name("records");
  await createTopic(session, topic, 3, KEPT);
  const headers = { h: ["1", "2"], empty: "", bytes: Buffer.from([1, 2]) };
  const messages = [
    { partition: 0, key: "k1", value: "v1", headers, timestamp: String(FIRST_TIMESTAMP) },
    { partition: 0, value: "v2" },
    { partition: 0, key: "k3", value: null },
    { partition: 1, key: "", value: "", timestamp: String(FIRST_TIMESTAMP + 1000) },
    { partition: 2, key: null, value: null, timestamp: "1" },
    { partition: 2, key: "clé", value: "välue ☃" },
    ...Array.from({ length: 10 }, (_, i) => ({ key: `key-${i}`, value: "partitioned" })),
  ];
  await withProducer(session, {}, async (producer) => {
    for (const message of messages) {
      const [sent] = await producer.send({ topic, messages: [message] });
      emit("records/produced", {
        key: message.key ?? null,
        partition: sent.partition,
        offset: sent.baseOffset,
      });
    }
  });
  await emitConsumed(session, "records/consumed", topic);
}

async function emitConsumed(session, at, topic) {
  for (const { partition, message } of await readAll(session, topic)) {
    const headers = Object.entries(message.headers ?? {}).map(([key, value]) => [
      key,
      Array.isArray(value) ? value.map(text) : text(value),
    ]);
    emit(at, {
      partition,
      offset: message.offset,
      key: text(message.key),
      value: text(message.value),
      headers,
      timestamp: when(Number(message.timestamp)),
    });
  }
}

export function when(millis) {
  return Math.abs(Date.now() - millis) < AN_HOUR_MS ? "now" : millis;
}

export async function timestamps(session) {
  const topic = session.name("timestamps");
  await createTopic(session, topic, 1, { "message.timestamp.type": "LogAppendTime" });
  const messages = [{ value: "v", timestamp: String(FIRST_TIMESTAMP) }];
  const [sent] = await withProducer(session, {}, (producer) => producer.send({ topic, messages }));
  emit("timestamps/produced", {
    offset: sent.baseOffset,
    timestamp: when(Number(sent.logAppendTime)),
  });
  await emitConsumed(session, "timestamps/consumed", topic);
}

export async function seek(session) {
  const { admin, kafka, name } = session;
  const topic = name("seek");
  await createTopic(session, topic, 1, KEPT);
  const messages = Array.from({ length: 10 }, (_, i) => ({
    value: `v${i}`,
    timestamp: String(FIRST_TIMESTAMP + i * 1000),
  }));
  await withProducer(session, {}, (producer) => producer.send({ topic, messages }));
  emit("seek/offsets", { offsets: await admin.fetchTopicOffsets(topic) });
  const times = { "before-first": -1, between: 4500, exactly: 5000, "after-last": 9001 };
  for (const [step, after] of Object.entries(times)) {
    emit(`seek/${step}`, {
      offsets: await admin.fetchTopicOffsetsByTimestamp(topic, FIRST_TIMESTAMP + after),
    });
  }
  const consumer = kafka.consumer({ groupId: name("seek"), maxWaitTimeInMs: 100 });
  const values = [];
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ message }) => {
      values.push(text(message.value));
    },
  });
  consumer.seek({ topic, partition: 0, offset: "7" });
  await until("the end from 7", () => values.at(-1) === "v9");
  emit("seek/from-7", { values: values.splice(0) });
  consumer.seek({ topic, partition: 0, offset: "11" });
  await until("a reset to the beginning", () => values.at(-1) === "v9");
  emit("seek/out-of-range-resets", { values });
  await consumer.disconnect();
}

export async function idempotent(session) {
  const topic = session.name("idempotent");
  await createTopic(session, topic, 1);
  await withProducer(session, { idempotent: true, maxInFlightRequests: 1 }, async (producer) => {
    for (let i = 0; i < 200; i += 10) {
      const messages = Array.from({ length: 10 }, (_, j) => ({ value: `value-${i + j}` }));
      await producer.send({ topic, messages });
    }
  });
  const consumed = await readAll(session, topic);
  const inOrder = consumed.every(
    ({ message }, i) => text(message.value) === `value-${i}` && message.offset === String(i),
  );
  emit("idempotent/consumed", { records: consumed.length, inOrder });
}

export async function errors(session) {
  const { admin, name } = session;
  await attempt("errors/offsets-of-unknown-topic", () => admin.fetchTopicOffsets(name("nowhere")));
  await createTopic(session, name("small"), 1, { "max.message.bytes": "1000" });
  await createTopic(session, name("keyed"), 1, { "cleanup.policy": "compact" });
  await withProducer(session, { retry: { retries: 8, initialRetryTime: 50 } }, async (producer) => {
    const send = (step, topic, value, acks = -1) =>
      attempt(`errors/${step}`, async () => {
        const [sent] = await producer.send({ topic, acks, messages: [{ value }] });
        return sent === undefined ? null : [sent.partition, sent.baseOffset];
      });
    await send("produce-unknown-topic-is-created", name("created"), "v");
    await send("produce-invalid-topic", name("bad name!"), "v");
    await send("produce-oversized", name("small"), "x".repeat(1001));
    await send("produce-fitting", name("small"), "x".repeat(500));
    await send("produce-over-broker-limit", name("created"), "x".repeat(1_500_000));
    await send("produce-without-key-to-compacted", name("keyed"), "v");
    await send("produce-acks-0", name("small"), "v", 0);
    await send("produce-acks-1", name("keyed-not"), "v", 1);
  });
}
