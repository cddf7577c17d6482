/**
 * Records whose CRC is right and whose insides are not: the batches of the compatibility lane
 * (test/compat/malformed), and some that are only broken at the end of a megabyte.
 */
import { ApiKey, type RequestInputByKey } from "@millrace/wire";
import { withClient, type WireClient } from "../../fixtures/wire-client.ts";
import {
  batch,
  type CodecName,
  codecNames,
  record,
  varint,
} from "../../compat/malformed/batch-bytes.ts";
import { type Case, recordCases, streamCases } from "../../compat/malformed/cases.ts";
import { type Attack, expectEqual, mebibytes, type Stage } from "../attack.ts";
import { createTopic } from "../subject.ts";

const NONE = 0;
const INVALID_TIMESTAMP = 32;
const INVALID_RECORD = 87;

/** What the lane sends besides: sound ones, and those that hold what Kafka takes, too. */
const accepted = new Set([
  "sound",
  "length/longer-than-needed",
  "attributes/set",
  "key/null",
  "value/null",
  "headers/null-value",
]);
/** A number that can be read, and is no time. */
const noTimes = new Set(["timestamp/int64-max", "timestamp/past-2-to-53"]);

export interface BrokenBatch {
  /** The lane's suite and case, or this file's own. */
  readonly name: string;
  readonly codecs: readonly CodecName[];
  readonly batch: Case["batch"];
  readonly errorCode: number;
}

function broken(suite: string, cases: readonly Case[], usual: readonly CodecName[]) {
  return cases
    .filter(({ name }) => !accepted.has(name) && !/^(time|bomb)\//u.test(name))
    .map(({ codecs = usual, name, ...rest }): BrokenBatch => {
      const errorCode = noTimes.has(name) ? INVALID_TIMESTAMP : INVALID_RECORD;
      return { ...rest, name: `${suite}/${name}`, codecs, errorCode };
    });
}

const compressing = codecNames.filter((codec) => codec !== "none");

/** Every one is refused, with the error that the lane sees; its times and bombs are no part of it. */
export const brokenBatches: readonly BrokenBatch[] = [
  ...broken("plain", recordCases, codecNames),
  ...broken("streams", streamCases, compressing),
];

/** Just under max.message.bytes where it is not compressed: all but the last record is walked. */
const longRecords = 12_000;
const longValue = "v".repeat(60);

function late(fields: Parameters<typeof record>[1]): Case["batch"] {
  const last = longRecords - 1;
  const sound = Array.from({ length: last }, (_, index) => record(index, { value: longValue }));
  return { records: [...sound, record(last, { value: longValue, ...fields })] };
}

function lateBatches(): readonly BrokenBatch[] {
  return [
    { name: "late/headers", batch: late({ headerCount: varint(0x7fffffff) }) },
    { name: "late/value", batch: late({ valueLength: 0x7fffffff }) },
  ].map((each) => ({ ...each, codecs: codecNames, errorCode: INVALID_RECORD }));
}

interface Sent {
  readonly name: string;
  readonly records: Uint8Array;
  readonly errorCode: number;
}

function bytesOf({ batch: fields, codecs, errorCode, name }: BrokenBatch): readonly Sent[] {
  const { ageMs = 0, ...rest } = fields;
  const baseTimestamp = Date.now() - ageMs;
  return codecs.map((codec) => {
    return {
      name: `${name} ${codec}`,
      records: batch({ ...rest, codec, baseTimestamp }),
      errorCode,
    };
  });
}

const topic = "broken-insides";
const connections = 8;
const partitions = 4;
/** How often each connection sends all batches; those of a megabyte once. */
const rounds = 3;

async function produce(client: WireClient, index: number, records: Uint8Array) {
  const request: RequestInputByKey[0] = {
    acks: -1,
    timeoutMs: 10_000,
    topicData: [{ name: topic, partitionData: [{ index, records }] }],
  };
  const { responses } = await client.ask(ApiKey.Produce, 9, request);
  return responses[0]?.partitionResponses[0];
}

/** Everything, one after another; each connection begins at another place. */
async function sendAll(stage: Stage, sent: readonly Sent[], connection: number): Promise<void> {
  const client = await stage.client();
  const from = Math.floor((connection * sent.length) / connections);
  for (const { errorCode, name, records } of [...sent.slice(from), ...sent.slice(0, from)]) {
    const answer = await produce(client, connection % partitions, records);
    expectEqual(answer?.errorCode, errorCode, name);
  }
}

/** What was refused has left nothing: a sound batch is the first of its partition. */
async function expectEmpty(port: number): Promise<void> {
  const records = batch({ records: [record(0)], codec: "none", baseTimestamp: Date.now() });
  await withClient(port, async (client) => {
    for (let index = 0; index < partitions; index += 1) {
      const answer = await produce(client, index, records);
      const { baseOffset, errorCode } = answer ?? {};
      expectEqual([errorCode, Number(baseOffset)], [NONE, 0], `a sound batch to ${index}`);
    }
  });
}

export const brokenInsides: Attack = {
  name: "records that are broken inside",
  does: "batches with a right CRC and broken varints, lengths, counts, offsets and streams, in every codec, from eight connections",
  memory: {
    bytes: mebibytes(2 * 3 * 16 + 8 * 3 + 128),
    because:
      "a body in each thread of side work, cut off at 16 MiB (16 times max.message.bytes) and copied twice at most; of each connection a frame of a megabyte, its copy for a thread, and the next one; and what V8 keeps of young objects: nothing is made of a count or a length before its bytes are there",
  },
  perform: async (stage) => {
    await createTopic(stage.subject.port, topic, { partitions });
    const small = brokenBatches.flatMap(bytesOf);
    const late = lateBatches().flatMap(bytesOf);
    const sent = [...Array.from({ length: rounds }, () => small).flat(), ...late];
    const senders = Array.from({ length: connections }, (_, at) => sendAll(stage, sent, at));
    await Promise.all(senders);
    await expectEmpty(stage.subject.port);
    const codes = [...new Set(sent.map(({ errorCode }) => errorCode))].sort((a, b) => a - b);
    const kinds = small.length + late.length;
    const count = sent.length * connections;
    return `${kinds} batches, ${count} refused: error ${codes.join(", ")}; nothing is stored`;
  },
};
