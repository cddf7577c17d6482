/**
 * Sends batches whose records are broken to a broker, by raw requests, and prints the transcript
 * that test/compat/scenarios.md describes: what it answers, and what of an accepted batch it stored.
 */
import { kafkaError } from "@millrace/wire";
import { type ProduceAnswer, type RawClient, rawClient } from "../raw-client.ts";
import { batch, type CodecName, codecNames, record } from "./batch-bytes.ts";
import { sequenceStories } from "./sequences.ts";
import { type Case, recordCases, reencodedCases, settingCases, streamCases } from "./cases.ts";

const [bootstrap = "", prefix = ""] = process.argv.slice(2);
const TOPIC_MS_MAX = 20_000;
const TOPIC_PAUSE_MS = 20;
const TIMESTAMP_TYPE_BIT = 8;

function emit(at: string, fields: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify({ at, ...fields })}\n`);
}

function errorName(code: number): string {
  return kafkaError(code).name;
}

async function createTopic(
  client: RawClient,
  topic: string,
  configs: Readonly<Record<string, string>>,
): Promise<void> {
  const code = await client.createTopic({ topic, configs });
  if (code !== 0) throw new Error(`${topic}: ${errorName(code)}`);
  const deadline = performance.now() + TOPIC_MS_MAX;
  for (;;) {
    const { errorCode } = await client.fetch(topic, 0, 0);
    if (errorCode === 0) return;
    if (performance.now() > deadline) throw new Error(`${topic}: ${errorName(errorCode)}`);
    await new Promise((resolve) => setTimeout(resolve, TOPIC_PAUSE_MS));
  }
}

interface Sent {
  readonly topic: string;
  readonly bytes: Buffer;
  /** Timestamps are told as distances from it. */
  readonly baseTimestamp: number;
}

/** Of an accepted batch, what the broker made of its fields, and whether its records are as sent. */
async function stored(client: RawClient, sent: Sent, baseOffset: number): Promise<object> {
  const { errorCode, recordSet } = await client.fetch(sent.topic, 0, baseOffset);
  if (errorCode !== 0) return { fetch: errorName(errorCode) };
  const maxTimestamp = Number(recordSet.readBigInt64BE(35));
  const attributes = recordSet.readInt16BE(21);
  const end = 12 + recordSet.readInt32BE(8);
  return {
    firstOffset: Number(recordSet.readBigInt64BE(0)) - baseOffset,
    lastOffsetDelta: recordSet.readInt32BE(23),
    count: recordSet.readInt32BE(57),
    timestampType: (attributes & TIMESTAMP_TYPE_BIT) === 0 ? "CreateTime" : "LogAppendTime",
    baseTimestamp: Number(recordSet.readBigInt64BE(27)) - sent.baseTimestamp,
    maxTimestamp:
      (attributes & TIMESTAMP_TYPE_BIT) === 0 && maxTimestamp >= 0
        ? maxTimestamp - sent.baseTimestamp
        : "other",
    recordsAsSent: recordSet.subarray(61, end).equals(sent.bytes.subarray(61)),
  };
}

function told(answer: ProduceAnswer): object {
  return {
    error: errorName(answer.errorCode),
    recordErrors: answer.recordErrors.map(({ index, message }) => [index, message !== ""]),
    logStartOffset: answer.logStartOffset,
    hasAppendTime: answer.logAppendTimeMs >= 0,
  };
}

async function answerTo(client: RawClient, sent: Sent): Promise<object> {
  try {
    const answer = await client.produce(sent.topic, sent.bytes);
    if (answer.errorCode !== 0) return told(answer);
    return { ...told(answer), stored: await stored(client, sent, answer.baseOffset) };
  } catch (error) {
    if (error instanceof Error && error.message.endsWith("closed the connection")) {
      return { closed: true };
    }
    throw error;
  }
}

interface Suite {
  readonly name: string;
  readonly configs: Readonly<Record<string, string>>;
  readonly cases: readonly Case[];
  readonly codecs: readonly CodecName[];
}

/** One line for each case: the different answers, each with the codecs that got it. */
async function run(client: RawClient, suite: Suite): Promise<void> {
  const topic = `${prefix}malformed-${suite.name}`;
  await createTopic(client, topic, suite.configs);
  for (const { name, batch: fields, codecs = suite.codecs } of suite.cases) {
    const { ageMs = 0, ...rest } = fields;
    const answers = new Map<string, { readonly codecs: CodecName[]; readonly answer: object }>();
    for (const codec of codecs) {
      const baseTimestamp = Date.now() - ageMs;
      const bytes = batch({ ...rest, codec, baseTimestamp });
      const answer = await answerTo(client, { topic, bytes, baseTimestamp });
      const known = answers.get(JSON.stringify(answer));
      if (known === undefined) answers.set(JSON.stringify(answer), { codecs: [codec], answer });
      else known.codecs.push(codec);
    }
    emit(`malformed/${suite.name}/${name}`, { answers: [...answers.values()] });
  }
}

const client = rawClient(Number(bootstrap.split(":")[1]));
const two: readonly CodecName[] = ["none", "gzip"];
const compressed = codecNames.filter((codec) => codec !== "none");
const dayMs = "86400000";

const suites: readonly Suite[] = [
  { name: "plain", configs: {}, cases: recordCases, codecs: codecNames },
  { name: "streams", configs: {}, cases: streamCases, codecs: compressed },
  {
    name: "compacted",
    configs: { "cleanup.policy": "compact" },
    cases: settingCases,
    codecs: two,
  },
  {
    name: "append-time",
    configs: { "message.timestamp.type": "LogAppendTime" },
    cases: settingCases,
    codecs: two,
  },
  {
    name: "a-day",
    configs: {
      "message.timestamp.before.max.ms": dayMs,
      "message.timestamp.after.max.ms": dayMs,
    },
    cases: settingCases,
    codecs: two,
  },
  {
    name: "to-zstd",
    configs: { "compression.type": "zstd" },
    cases: reencodedCases,
    codecs: two,
  },
];
for (const suite of suites) await run(client, suite);

/** One line for each story: what was answered to each of its steps, in their order. */
for (const { configs = {}, name, steps } of sequenceStories) {
  const topic = `${prefix}sequences-${name}`;
  await createTopic(client, topic, configs);
  const answers: unknown[] = [];
  for (const step of steps) {
    if ("deleteTo" in step) {
      const [errorCode, lowWatermark] = await client.deleteRecords(topic, step.deleteTo);
      answers.push([errorName(errorCode), lowWatermark]);
      continue;
    }
    const { count = 1, epoch = 0, id = 1, sequence } = step;
    const records = Array.from({ length: count }, (_, index) => record(index));
    const producer = { id, epoch, sequence };
    const bytes = batch({ records, codec: "none", baseTimestamp: Date.now(), producer });
    const { baseOffset, errorCode, logStartOffset } = await client.produce(topic, bytes);
    answers.push([errorName(errorCode), baseOffset, logStartOffset]);
  }
  emit(`sequences/${name}`, { answers });
}
