/**
 * The few Kafka requests that the lane itself sends: is a broker ready, which topics are there,
 * which bytes did it store, and what does it answer to bytes that no client sends. Written against
 * the protocol, apart from `wire/`, so that a mistake there can't hide itself here. Versions:
 * ApiVersions 0, Metadata 1, Fetch 4, CreateTopics 2, DeleteRecords 0, the oldest that Kafka 4.x
 * serves of each but the first, and Produce 8, the oldest that names the records at fault (KIP-467).
 */
import { connect, type Socket } from "node:net";

export interface TopicPartitions {
  readonly topic: string;
  readonly partitionCount: number;
}

export interface Fetched {
  readonly errorCode: number;
  readonly highWatermark: number;
  readonly recordSet: Buffer;
}

export interface ProduceAnswer {
  readonly errorCode: number;
  readonly baseOffset: number;
  readonly logAppendTimeMs: number;
  readonly logStartOffset: number;
  readonly recordErrors: readonly { readonly index: number; readonly message: string }[];
  readonly errorMessage: string;
}

export interface NewTopic {
  readonly topic: string;
  readonly configs: Readonly<Record<string, string>>;
}

export interface RawClient {
  readonly topics: () => Promise<readonly TopicPartitions[]>;
  /** Of one partition; resolves with the error code. */
  readonly createTopic: (topic: NewTopic) => Promise<number>;
  /** To partition 0, with acks=all. Rejects when the broker closes the connection instead. */
  readonly produce: (topic: string, records: Buffer) => Promise<ProduceAnswer>;
  readonly fetch: (topic: string, partition: number, offset: number) => Promise<Fetched>;
  /** Of partition 0; resolves with the error code and the low watermark. */
  readonly deleteRecords: (topic: string, offset: number) => Promise<readonly [number, number]>;
}

const RESPONSE_BYTES_MAX = 64 * 1024 * 1024;
const FETCH_BYTES_MAX = 8 * 1024 * 1024;
const REQUEST_TIMEOUT_MS = 20_000;
const ACKS_ALL = -1;

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  #advance(length: number): number {
    const at = this.#at;
    this.#at += length;
    return at;
  }

  int8(): number {
    return this.#bytes.readInt8(this.#advance(1));
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#advance(2));
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#advance(4));
  }

  int64(): number {
    return Number(this.#bytes.readBigInt64BE(this.#advance(8)));
  }

  string(): string {
    const length = Math.max(this.int16(), 0);
    const at = this.#advance(length);
    return this.#bytes.toString("utf8", at, at + length);
  }

  bytes(): Buffer {
    const length = Math.max(this.int32(), 0);
    const at = this.#advance(length);
    return this.#bytes.subarray(at, at + length);
  }

  array<T>(element: () => T): T[] {
    return Array.from({ length: Math.max(this.int32(), 0) }, element);
  }
}

function int8(value: number): Buffer {
  return Buffer.from([value]);
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function int64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
}

function string(value: string): Buffer {
  const text = Buffer.from(value);
  return Buffer.concat([int16(text.length), text]);
}

function array(elements: readonly Buffer[]): Buffer {
  return Buffer.concat([int32(elements.length), ...elements]);
}

/**
 * One request on a fresh connection, which keeps the framing trivial: the lane sends a handful in
 * all.
 */
function exchange(port: number, header: Buffer, body: Buffer): Promise<Reader> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(port, "127.0.0.1");
    const fail = (why: string): void => {
      socket.destroy();
      reject(new Error(`127.0.0.1:${port}: ${why}`));
    };
    let received = Buffer.alloc(0);
    socket.setTimeout(REQUEST_TIMEOUT_MS, () => fail("no answer"));
    socket.on("error", (error) => fail(error.message));
    socket.on("close", () => fail("closed the connection"));
    socket.on("connect", () => {
      socket.write(Buffer.concat([int32(header.length + body.length), header, body]));
    });
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 4) return;
      const length = received.readInt32BE(0);
      if (length > RESPONSE_BYTES_MAX) return fail(`a response of ${length} bytes`);
      if (received.length < 4 + length) return;
      resolve(new Reader(received.subarray(8, 4 + length)));
      socket.destroy();
    });
  });
}

function requestHeader(apiKey: number, apiVersion: number): Buffer {
  return Buffer.concat([int16(apiKey), int16(apiVersion), int32(1), string("compat-lane")]);
}

function readMetadata(reader: Reader): readonly TopicPartitions[] {
  const brokerCount = reader.array(() => {
    reader.int32();
    reader.string();
    reader.int32();
    reader.string();
  }).length;
  if (brokerCount === 0) throw new Error("Metadata names no broker");
  reader.int32();
  return reader.array(() => {
    reader.int16();
    const topic = reader.string();
    reader.int8();
    const partitionCount = reader.array(() => {
      reader.int16();
      reader.int32();
      reader.int32();
      reader.array(() => reader.int32());
      reader.array(() => reader.int32());
    }).length;
    return { topic, partitionCount };
  });
}

function readFetch(reader: Reader): Fetched {
  reader.int32();
  const [topic] = reader.array(() => {
    reader.string();
    const [partition] = reader.array(() => {
      reader.int32();
      const errorCode = reader.int16();
      const highWatermark = reader.int64();
      reader.int64();
      reader.array(() => {
        reader.int64();
        reader.int64();
      });
      return { errorCode, highWatermark, recordSet: reader.bytes() };
    });
    return partition;
  });
  if (topic === undefined) throw new Error("Fetch answered for no partition");
  return topic;
}

function fetchBody(topic: string, partition: number, offset: number): Buffer {
  const perPartition = [int32(partition), int64(offset), int32(FETCH_BYTES_MAX)];
  const limits = [int32(-1), int32(100), int32(1), int32(FETCH_BYTES_MAX), int8(0)];
  return Buffer.concat([...limits, int32(1), string(topic), int32(1), ...perPartition]);
}

function produceBody(topic: string, records: Buffer): Buffer {
  const partition = Buffer.concat([int32(0), int32(records.length), records]);
  const acks = [int16(-1), int16(ACKS_ALL), int32(REQUEST_TIMEOUT_MS)];
  return Buffer.concat([...acks, array([Buffer.concat([string(topic), array([partition])])])]);
}

function readProduce(reader: Reader): ProduceAnswer {
  const [topic] = reader.array(() => {
    reader.string();
    const [partition] = reader.array(() => {
      reader.int32();
      return {
        errorCode: reader.int16(),
        baseOffset: reader.int64(),
        logAppendTimeMs: reader.int64(),
        logStartOffset: reader.int64(),
        recordErrors: reader.array(() => ({ index: reader.int32(), message: reader.string() })),
        errorMessage: reader.string(),
      };
    });
    return partition;
  });
  if (topic === undefined) throw new Error("Produce answered for no partition");
  return topic;
}

function createTopicBody({ topic, configs }: NewTopic): Buffer {
  const named = Object.entries(configs).map(([name, value]) =>
    Buffer.concat([string(name), string(value)]),
  );
  const assignments = array([]);
  const created = [string(topic), int32(1), int16(1), assignments, array(named)];
  return Buffer.concat([array([Buffer.concat(created)]), int32(REQUEST_TIMEOUT_MS), int8(0)]);
}

function readCreateTopic(reader: Reader): number {
  reader.int32();
  const [errorCode] = reader.array(() => {
    reader.string();
    const code = reader.int16();
    reader.string();
    return code;
  });
  if (errorCode === undefined) throw new Error("CreateTopics answered for no topic");
  return errorCode;
}

function deleteRecordsBody(topic: string, offset: number): Buffer {
  const partitions = array([Buffer.concat([int32(0), int64(offset)])]);
  return Buffer.concat([
    array([Buffer.concat([string(topic), partitions])]),
    int32(REQUEST_TIMEOUT_MS),
  ]);
}

function readDeleteRecords(reader: Reader): readonly [number, number] {
  reader.int32();
  const [topic] = reader.array(() => {
    reader.string();
    const [partition] = reader.array(() => {
      reader.int32();
      const lowWatermark = reader.int64();
      return [reader.int16(), lowWatermark] as const;
    });
    return partition;
  });
  if (topic === undefined) throw new Error("DeleteRecords answered for no partition");
  return topic;
}

export function rawClient(port: number): RawClient {
  return {
    createTopic: async (topic) =>
      readCreateTopic(await exchange(port, requestHeader(19, 2), createTopicBody(topic))),
    produce: async (topic, records) =>
      readProduce(await exchange(port, requestHeader(0, 8), produceBody(topic, records))),
    deleteRecords: async (topic, offset) =>
      readDeleteRecords(
        await exchange(port, requestHeader(21, 0), deleteRecordsBody(topic, offset)),
      ),
    topics: async () => readMetadata(await exchange(port, requestHeader(3, 1), int32(-1))),
    fetch: async (topic, partition, offset) =>
      readFetch(await exchange(port, requestHeader(1, 4), fetchBody(topic, partition, offset))),
  };
}

/**
 * Resolves once the broker answers ApiVersions and names itself in Metadata; throws after
 * `timeoutMs`.
 */
export async function waitUntilReady(
  port: number,
  options: { readonly timeoutMs: number; readonly ended: () => boolean },
): Promise<void> {
  const deadline = performance.now() + options.timeoutMs;
  for (;;) {
    try {
      await exchange(port, requestHeader(18, 0), Buffer.alloc(0));
      await rawClient(port).topics();
      return;
    } catch (error) {
      if (options.ended()) throw new Error("ended before it was ready", { cause: error });
      if (performance.now() > deadline) throw new Error("not ready in time", { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
