/**
 * A cluster in memory behind the `Transport` port: one broker, topics, groups, idempotent appends as
 * a broker judges them, and faults where a test wants them.
 */
import { ConnectionError, MillraceError } from "../src/errors.ts";
import type { TopicPartition } from "../src/transport/described.ts";
import type {
  AdminTransport,
  FetchedRecord,
  FetchRequest,
  FetchResult,
  GroupTransport,
  ListedOffset,
  OffsetSpec,
  OpenTransport,
  ProduceRequest,
  ProduceResult,
  Transport,
  TransportOptions,
  WireBatch,
} from "../src/transport/transport.ts";
import { MemoryGroup, refusal } from "./memory-group.ts";

const node = 1;

interface Appended {
  readonly first: number;
  readonly count: number;
  readonly baseOffset: number;
}

/** As many as Kafka remembers of each producer. */
const batchesRemembered = 5;

class MemoryLog {
  readonly records: FetchedRecord[] = [];
  takesAnyFirst = false;
  startOffset = 0;
  /** By producer id, the last batches. */
  readonly #appended = new Map<bigint, readonly Appended[]>();
  #waiting: (() => void)[] = [];

  get endOffset(): number {
    return this.startOffset + this.records.length;
  }

  append({ records, sequence }: WireBatch): number {
    const baseOffset = this.endOffset;
    if (sequence !== undefined) {
      const { producerId } = sequence.identity;
      const { first } = sequence;
      const known = this.#appended.get(producerId) ?? [];
      const count = records.length;
      const same = known.find((one) => one.first === first && one.count === count);
      if (same !== undefined) return same.baseOffset;
      const last = known.at(-1);
      const next = last === undefined ? this.#firstOf(first) : last.first + last.count;
      if (first !== next) throw refusal("OUT_OF_ORDER_SEQUENCE_NUMBER");
      const appended = [...known, { first, count, baseOffset }];
      this.#appended.set(producerId, appended.slice(-batchesRemembered));
    }
    for (const [index, record] of records.entries()) {
      this.records.push({ ...record, offset: baseOffset + index });
    }
    for (const grown of this.#waiting.splice(0)) grown();
    return baseOffset;
  }

  forgetProducers(): void {
    this.#appended.clear();
  }

  /** Kafka takes any number of a producer that it has nothing of. */
  #firstOf(first: number): number {
    return this.takesAnyFirst ? first : 0;
  }

  trimTo(offset: number): void {
    this.records.splice(0, offset - this.startOffset);
    this.startOffset = offset;
  }

  read(offset: number, count: number): readonly FetchedRecord[] {
    return this.records.slice(offset - this.startOffset, offset - this.startOffset + count);
  }

  grown(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

/**
 * What a produce request meets: nothing; or an answer that gets lost, with the append or without; an
 * append whose answer nobody can read, or says that something failed; or a refusal.
 */
export type ProduceFault =
  | "none"
  | "lost before"
  | "lost after"
  | "garbled after"
  | "failed after"
  | { readonly code: string; readonly retriable?: boolean };

export class MemoryCluster {
  readonly groups: Map<string, MemoryGroup> = new Map();
  readonly produced: ProduceRequest[] = [];
  readonly fetchRecordsMax: number;
  /** Asked for every produce request, in order. */
  produceFault: (request: ProduceRequest) => ProduceFault = () => "none";
  /** Every produce request waits for it. */
  produceGate: Promise<void> = Promise.resolve();
  /** Every producer id and every commit waits for its own. */
  identityGate: Promise<void> = Promise.resolve();
  commitGate: Promise<void> = Promise.resolve();
  /** Undefined: metadata is answered, and commits are taken. */
  metadataFault: () => MillraceError | undefined = () => undefined;
  commitFault: () => MillraceError | undefined = () => undefined;
  /** After a topic was made. */
  createFault: () => MillraceError | undefined = () => undefined;
  /** What transports were opened with. */
  readonly opened: (TransportOptions | undefined)[] = [];
  openTransports = 0;
  /** A fetch waits no longer than this, and no longer than it asks for. */
  fetchWaitMsMax = 20;
  fetches = 0;
  /** Where the leader sends consumers of a rack; and the brokers that gave records, or none. */
  nearerNode: number | undefined;
  readonly fetchedFrom: Set<number> = new Set();
  /** Of values, over all fetches. */
  fetchedBytes = 0;
  #topics = new Map<string, readonly MemoryLog[]>();
  #nextProducerId = 1n;

  constructor(options: { readonly fetchRecordsMax?: number } = {}) {
    this.fetchRecordsMax = options.fetchRecordsMax ?? 500;
  }

  createTopic(name: string, partitions = 1): void {
    this.#topics.set(
      name,
      Array.from({ length: partitions }, () => new MemoryLog()),
    );
  }

  growTopic(name: string): void {
    this.#topics.set(name, [...(this.#topics.get(name) ?? []), new MemoryLog()]);
  }

  log(topic: string, partition = 0): MemoryLog {
    const log = this.#topics.get(topic)?.[partition];
    if (log === undefined) throw refusal("UNKNOWN_TOPIC_OR_PARTITION", true);
    return log;
  }

  /** The values of a partition as text. */
  values(topic: string, partition = 0): readonly string[] {
    return this.log(topic, partition).records.map(({ value }) =>
      Buffer.from(value ?? []).toString(),
    );
  }

  group(name: string): MemoryGroup {
    const group = this.groups.get(name) ?? new MemoryGroup();
    this.groups.set(name, group);
    return group;
  }

  readonly open: OpenTransport = (options) => {
    this.openTransports += 1;
    this.opened.push(options);
    return this.#transport();
  };

  #transport(): Transport {
    let close: (error: unknown) => void = () => undefined;
    const closed = new Promise<never>((_, reject) => {
      close = reject;
    });
    closed.catch(() => undefined);
    const ended = <T>(answer: Promise<T>): Promise<T> => Promise.race([answer, closed]);
    return {
      metadata: (topics) => ended(this.#metadata(topics)),
      initProducerId: () => {
        const producerId = this.#nextProducerId;
        this.#nextProducerId += 1n;
        return ended(this.identityGate.then(() => ({ producerId, producerEpoch: 0 })));
      },
      produce: (_, request) => ended(this.#produce(request)),
      fetch: (asked, request) => ended(this.#fetchFrom(asked, request)),
      listOffsets: (_, { partitions, at }) =>
        ended(Promise.resolve(partitions.map((partition) => this.#listOffset(partition, at)))),
      groups: this.#groupTransport(ended),
      admin: this.#adminTransport(),
      close: () => {
        this.openTransports -= 1;
        close(new ConnectionError("closed"));
        return Promise.resolve();
      },
    };
  }

  async #metadata(topics: readonly string[] | "all"): ReturnType<Transport["metadata"]> {
    const fault = this.metadataFault();
    if (fault !== undefined) throw fault;
    const names = topics === "all" ? [...this.#topics.keys()] : topics;
    return {
      ...{ clusterId: "memory", controllerId: node },
      brokers: [{ nodeId: node, host: "memory", port: 1, rack: null }],
      topics: names.map((name) => {
        const logs = this.#topics.get(name);
        const topic = { name, topicId: `id of ${name}`, internal: false };
        if (logs === undefined) {
          return { ...topic, partitions: [], error: refusal("UNKNOWN_TOPIC_OR_PARTITION", true) };
        }
        const placed = { leader: node, leaderEpoch: 0, replicas: [node], inSyncReplicas: [node] };
        return { ...topic, partitions: logs.map((_, partition) => ({ partition, ...placed })) };
      }),
    };
  }

  async #produce(request: ProduceRequest): Promise<readonly ProduceResult[]> {
    this.produced.push(request);
    const fault = this.produceFault(request);
    await this.produceGate;
    if (fault === "lost before") throw new ConnectionError("lost before");
    const results = request.batches.map((batch): ProduceResult => {
      const { topic, partition } = batch;
      try {
        if (typeof fault === "object") throw refusal(fault.code, fault.retriable);
        return { topic, partition, baseOffset: this.log(topic, partition).append(batch) };
      } catch (error) {
        return { topic, partition, baseOffset: -1, error: error as ReturnType<typeof refusal> };
      }
    });
    if (fault === "lost after") throw new ConnectionError("lost after");
    if (fault === "garbled after") {
      const message = "a response could not be read";
      throw new MillraceError({ code: "INVALID_RESPONSE", message, retriable: false });
    }
    if (fault !== "failed after") return results;
    const error = refusal("UNKNOWN_SERVER_ERROR");
    return results.map(({ topic, partition }) => ({ topic, partition, baseOffset: -1, error }));
  }

  async #fetchFrom(asked: number, request: FetchRequest): Promise<readonly FetchResult[]> {
    if (asked === node && this.nearerNode !== undefined && request.rack !== "") {
      const { nearerNode } = this;
      return request.partitions.map(({ topic, partition, offset }) => ({
        ...{ topic, partition, records: [], nextOffset: offset, highWatermark: 0 },
        ...{ logStartOffset: 0, nearerNode },
      }));
    }
    this.fetchedFrom.add(asked);
    return this.#fetch(request);
  }

  async #fetch(request: FetchRequest): Promise<readonly FetchResult[]> {
    this.fetches += 1;
    const logs = request.partitions.map(({ topic, partition }) => this.log(topic, partition));
    const isEmpty = request.partitions.every(
      ({ offset }, index) => (logs[index]?.endOffset ?? 0) === offset,
    );
    if (isEmpty) {
      const patience = new Promise((resolve) =>
        setTimeout(resolve, Math.min(this.fetchWaitMsMax, request.maxWaitMs)),
      );
      await Promise.race([patience, ...logs.map((log) => log.grown())]);
    }
    let room = request.maxBytes;
    return request.partitions.map(({ topic, partition, offset }): FetchResult => {
      const log = this.log(topic, partition);
      const wanted = room > 0 ? log.read(offset, this.fetchRecordsMax) : [];
      const records = wanted.filter(({ value }) => {
        const fits = room > 0;
        room -= value?.length ?? 0;
        return fits;
      });
      for (const { value } of records) this.fetchedBytes += value?.length ?? 0;
      const isOut = offset < log.startOffset || offset > log.endOffset;
      return {
        ...{ topic, partition, records: isOut ? [] : records },
        nextOffset: (records.at(-1)?.offset ?? offset - 1) + 1,
        ...{ highWatermark: log.endOffset, logStartOffset: log.startOffset },
        ...(isOut ? { error: refusal("OFFSET_OUT_OF_RANGE") } : {}),
      };
    });
  }

  #listOffset({ topic, partition }: TopicPartition, at: OffsetSpec): ListedOffset {
    const log = this.log(topic, partition);
    if (at === "latest") return { topic, partition, offset: log.endOffset };
    if (at === "earliest") return { topic, partition, offset: log.startOffset };
    const found = log.records.find(({ timestampMs }) => timestampMs >= at.timestampMs);
    return { topic, partition, offset: found?.offset ?? -1 };
  }

  #groupTransport(ended: <T>(answer: Promise<T>) => Promise<T>): GroupTransport {
    const key = ({ topic, partition }: TopicPartition): string => `${topic} ${partition}`;
    return {
      join: (request) => ended(this.group(request.group).join(request)),
      sync: async (member, _, assignments) =>
        ended(this.group(member.group).sync(member, assignments)),
      heartbeat: async (member) => this.group(member.group).heartbeat(member),
      leave: async (member) => this.group(member.group).leave(member),
      commit: async (member, offsets) => {
        await this.commitGate;
        const fault = this.commitFault();
        if (fault !== undefined) throw fault;
        const group = this.group(member.group);
        group.commit(member);
        for (const offset of offsets) group.offsets.set(key(offset), offset.offset);
        return offsets;
      },
      committed: async (name, partitions) => {
        const { offsets } = this.group(name);
        const all = Array.from(offsets.keys(), (entry) => {
          const [topic = "", partition] = entry.split(" ");
          return { topic, partition: Number(partition) };
        });
        return (partitions ?? all).map((at) => ({
          ...{ topic: at.topic, partition: at.partition, offset: offsets.get(key(at)) ?? -1 },
        }));
      },
    };
  }

  #adminTransport(): AdminTransport {
    const nothing = (): Promise<never> => Promise.reject(refusal("UNSUPPORTED_VERSION"));
    return {
      createTopic: async ({ name, partitions }) => {
        if (this.#topics.has(name)) throw refusal("TOPIC_ALREADY_EXISTS");
        this.createTopic(name, partitions < 0 ? 1 : partitions);
        const fault = this.createFault();
        if (fault !== undefined) throw fault;
      },
      deleteTopic: async (name) => {
        if (!this.#topics.delete(name)) throw refusal("UNKNOWN_TOPIC_OR_PARTITION", true);
      },
      ...{ createPartitions: nothing, describeConfigs: nothing, alterConfigs: nothing },
      ...{ listGroups: nothing, describeGroup: nothing, deleteGroup: nothing },
    };
  }
}
