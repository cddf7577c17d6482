import {
  ApiKey,
  buildBatch,
  crc32c,
  jsCodecs,
  kafkaError,
  readRecords,
  type RequestInputByKey,
  type ResponseByKey,
  splitBatches,
} from "@millrace/wire";
import type { Chance } from "../chance.ts";
import { encodeFrame } from "./frames.ts";

/** Asks the broker, in whatever way; undefined when no answer comes. */
export type Ask = (frame: Uint8Array) => Promise<unknown>;

const group = "canary-group";
const topics = ["canary-local", "canary-journal"] as const;
const versions = {
  [ApiKey.Produce]: 9,
  [ApiKey.Fetch]: 11,
  [ApiKey.OffsetCommit]: 7,
  [ApiKey.OffsetFetch]: 7,
  [ApiKey.CreateTopics]: 5,
} as const;
type CanaryKey = keyof typeof versions;

/** Of its own, so that nobody's change of the broker's configs reaches it. */
const configs: Readonly<Record<string, string>> = {
  "max.message.bytes": "1048588",
  "retention.ms": "-1",
  "retention.bytes": "-1",
  "cleanup.policy": "delete",
  "compression.type": "producer",
  "message.timestamp.type": "CreateTime",
  "message.timestamp.before.max.ms": "9223372036854775807",
  "message.timestamp.after.max.ms": "9223372036854775807",
};

/**
 * A client that does nothing odd, beside those that do: what it produces, fetches and commits must
 * go on as if it were alone.
 */
export class Canary {
  readonly #ask: Ask;
  readonly #chance: Chance;
  readonly #fault: (what: string) => void;
  /** The values by offset, of each topic. */
  readonly #values = new Map<string, number[]>(topics.map((name) => [name, []]));
  readonly #committed = new Map<string, number>();
  #nextValue = 1;

  constructor(chance: Chance, ask: Ask, fault: (what: string) => void) {
    this.#chance = chance;
    this.#ask = ask;
    this.#fault = fault;
  }

  async setUp(): Promise<void> {
    const answer = await this.#request(ApiKey.CreateTopics, {
      topics: topics.map((name) => ({
        ...{ name, numPartitions: 1, replicationFactor: 1, assignments: [] },
        configs: Object.entries({
          ...configs,
          "millrace.durability": name === "canary-journal" ? "journal" : "local",
        }).map(([key, value]) => ({ name: key, value })),
      })),
      timeoutMs: 1_000,
    });
    for (const { errorCode } of answer?.topics ?? []) this.#expectNone(errorCode, "a topic");
  }

  /** One of its works, on one of its topics. */
  async work(): Promise<void> {
    const topic = this.#chance.pick(topics);
    const kind = this.#chance.below(3);
    if (kind === 0) await this.#produce(topic);
    else if (kind === 1) await this.#fetch(topic, this.#chance.below(this.#endOf(topic) + 1));
    else await this.#commit(topic);
  }

  /** Everything that was acknowledged is there. */
  async checkAll(): Promise<void> {
    for (const topic of topics) {
      let from = 0;
      while (from < this.#endOf(topic)) {
        const next = await this.#fetch(topic, from);
        if (next <= from) break;
        from = next;
      }
      const at = this.#committed.get(topic);
      if (at === undefined) continue;
      const found = await this.#committedOffset(topic);
      if (found !== at) this.#fault(`canary: committed ${at} of ${topic}, then read ${found}`);
    }
  }

  #endOf(topic: string): number {
    return this.#values.get(topic)?.length ?? 0;
  }

  async #produce(name: string): Promise<void> {
    const values = Array.from({ length: this.#chance.between(1, 4) }, (_, at) => {
      return this.#nextValue + at;
    });
    this.#nextValue += values.length;
    const records = buildBatch(
      values.map((value) => ({ key: null, value: encodeValue(value) })),
      { crc32c },
    );
    const answer = await this.#request(ApiKey.Produce, {
      ...{ acks: -1, timeoutMs: 1_000 },
      topicData: [{ name, partitionData: [{ index: 0, records }] }],
    });
    const part = answer?.responses[0]?.partitionResponses[0];
    if (part === undefined) return this.#fault(`canary: its produce to ${name} is not answered`);
    this.#expectNone(part.errorCode, `its produce to ${name}`);
    const known = this.#values.get(name) ?? [];
    if (part.baseOffset !== known.length) {
      this.#fault(`canary: appended to ${name} at ${part.baseOffset}, not at ${known.length}`);
    }
    known.push(...values);
  }

  /** Returns the offset after the last record that came. */
  async #fetch(topic: string, fetchOffset: number): Promise<number> {
    const answer = await this.#request(ApiKey.Fetch, {
      ...{ maxWaitMs: 0, minBytes: 0, maxBytes: 100_000 },
      topics: [{ topic, partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 10_000 }] }],
    });
    const part = answer?.responses[0]?.partitions[0];
    if (part === undefined) {
      this.#fault(`canary: its fetch from ${topic} is not answered`);
      return fetchOffset;
    }
    this.#expectNone(part.errorCode, `its fetch from ${topic}`);
    const known = this.#values.get(topic) ?? [];
    let next = fetchOffset;
    for (const { offset, value } of recordsIn(part.records ?? new Uint8Array(0))) {
      if (offset < fetchOffset) continue;
      if (offset !== next || value !== known[offset]) {
        this.#fault(`canary: ${topic} has ${value} at ${offset}, not ${known[offset]} at ${next}`);
      }
      next = offset + 1;
    }
    if (next === fetchOffset && fetchOffset < known.length) {
      this.#fault(`canary: ${topic} gives nothing from ${fetchOffset} on, of ${known.length}`);
    }
    return next;
  }

  async #commit(name: string): Promise<void> {
    const committedOffset = this.#chance.below(this.#endOf(name) + 1);
    const partition = { partitionIndex: 0, committedOffset, committedMetadata: "canary" };
    const answer = await this.#request(ApiKey.OffsetCommit, {
      ...{ groupId: group, generationIdOrMemberEpoch: -1, memberId: "" },
      topics: [{ name, partitions: [partition] }],
    });
    const part = answer?.topics[0]?.partitions[0];
    this.#expectNone(part?.errorCode ?? -1, `its commit of ${name}`);
    this.#committed.set(name, committedOffset);
  }

  async #committedOffset(name: string): Promise<number | undefined> {
    const topics = [{ name, partitionIndexes: [0] }];
    const answer = await this.#request(ApiKey.OffsetFetch, { groupId: group, topics });
    return answer?.topics[0]?.partitions[0]?.committedOffset;
  }

  async #request<Key extends CanaryKey>(
    key: Key,
    body: RequestInputByKey[Key],
  ): Promise<ResponseByKey[Key] | undefined> {
    const answer = await this.#ask(encodeFrame(key, versions[key], body));
    if (answer === undefined) this.#fault(`canary: no answer to API ${key}`);
    return answer as ResponseByKey[Key] | undefined;
  }

  #expectNone(code: number, what: string): void {
    if (code !== 0) this.#fault(`canary: ${what} failed: ${kafkaError(code).name}`);
  }
}

function encodeValue(value: number): Uint8Array {
  const bytes = new Uint8Array(8 + (value % 50));
  new DataView(bytes.buffer).setFloat64(0, value);
  return bytes;
}

function recordsIn(bytes: Uint8Array): readonly { readonly offset: number; value: number }[] {
  const rules = { codecs: jsCodecs, decompressedBytesMax: 1 << 20 };
  return splitBatches(bytes).starts.flatMap((at) => {
    const read = readRecords(bytes, at, rules);
    if (read.kind === "fault") return [{ offset: -1, value: -1 }];
    return read.records.map(({ offset, value }) => ({
      offset,
      value: value === null ? -1 : new DataView(value.buffer, value.byteOffset).getFloat64(0),
    }));
  });
}
