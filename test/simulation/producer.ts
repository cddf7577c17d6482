import {
  ApiKey,
  buildBatch,
  type Codec,
  crc32c,
  ErrorCode,
  jsCodecs,
  kafkaError,
  type PartitionProduceResponse,
  type ProduceRequestInput,
  type ProduceResponse,
  zeroUuid,
} from "@millrace/wire";
import { ClientProcess, nameOf, type PartitionRef, type Scene } from "./client.ts";
import { leaderErrors } from "./client-routes.ts";
import type { Completion, Send } from "./history.ts";
import { ConnectionLost, type KafkaConnection } from "./kafka-connection.ts";
import { bytesOf, type Values } from "./values.ts";

type Uuid = typeof zeroUuid;

interface Batch {
  readonly ref: PartitionRef;
  readonly sends: readonly Send[];
  readonly bytes: Uint8Array;
  readonly baseSequence: number;
  readonly bornMs: number;
}

/** One partition as a producer sees it. */
interface Lane {
  readonly ref: PartitionRef;
  nextSequence: number;
  /** To be sent, or sent again, in the order of their sequences. */
  queue: Batch[];
  inFlight: Batch[];
  /** A batch came back: until it got through, one batch at a time goes out, as real clients do. */
  isRetrying: boolean;
}

/** Java's and librdkafka's: the most produce requests of a connection that wait for replies. */
const requestsInFlightMax = 5;
const queuedBatchesMax = 6;
/** `delivery.timeout.ms`: then nobody knows, and the producer begins anew with another id. */
const deliveryTimeoutMs = 30_000;

/**
 * An idempotent producer: sequences per partition, several requests in flight, the same batch sent
 * again after whatever went wrong, until it is acknowledged.
 */
export class IdempotentProducer extends ClientProcess {
  readonly #values: Values;
  readonly #version: number;
  readonly #codec: Codec | undefined;
  #lanes = new Map<string, Lane>();
  #identity: { readonly id: number; readonly epoch: number; readonly name: string } | undefined;
  #identities = 0;
  readonly #requestsInFlight = new WeakMap<KafkaConnection, number>();

  constructor(scene: Scene, name: string, values: Values) {
    super(scene, name);
    this.#values = values;
    this.#version = scene.world.between(3, 13);
    const { snappy, lz4 } = jsCodecs;
    this.#codec = scene.world.pick([undefined, undefined, snappy, lz4]);
  }

  /** Whether all that it took on has an outcome. */
  get isIdle(): boolean {
    return [...this.#lanes.values()].every(
      ({ queue, inFlight }) => queue.length === 0 && inFlight.length === 0,
    );
  }

  async run(): Promise<void> {
    const { scene } = this;
    const { world } = scene;
    for (;;) {
      if (scene.isEnding && this.isIdle) return;
      const connection = await this.connect();
      if (this.#identity === undefined) await this.#begin(connection);
      if (!scene.isEnding) this.#takeWork();
      this.#giveUpLate();
      await this.#sendWhatMay();
      await this.sleep(world.chance(100) ? world.between(100, 600) : world.between(1, 60));
    }
  }

  async #begin(connection: KafkaConnection): Promise<void> {
    try {
      const body = { transactionalId: null, transactionTimeoutMs: 60_000 };
      const answer = await connection.request(ApiKey.InitProducerId, 4, body);
      if (answer.errorCode !== ErrorCode.NONE) return;
      this.#identities += 1;
      const name = `${this.name}#${this.#identities}`;
      this.#identity = { id: answer.producerId, epoch: answer.producerEpoch, name };
      this.scene.world.trace.add(`${name} is producer ${answer.producerId}`);
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
    }
  }

  #takeWork(): void {
    const { world, cluster } = this.scene;
    const identity = this.#identity;
    if (identity === undefined || cluster.partitions.length === 0) return;
    for (let batches = world.below(3); batches > 0; batches -= 1) {
      const ref = world.pick(cluster.partitions);
      const lane = this.#laneOf(ref);
      if (lane.queue.length >= queuedBatchesMax) continue;
      const planned = this.#values.plan(world, cluster.keysOf(ref));
      const partition = nameOf(ref);
      const sends = planned.map((record) =>
        this.scene.history.begin<Send>({
          ...{ kind: "send", producer: identity.name, partition, ...record },
          ...{ acks: -1, idempotent: true },
        }),
      );
      const bytes = buildBatch(
        planned.map((record) => bytesOf(record, this.clock.wallMs())),
        {
          ...{ crc32c, producerId: identity.id, producerEpoch: identity.epoch },
          baseSequence: lane.nextSequence,
          ...(this.#codec === undefined ? {} : { codec: this.#codec }),
        },
      );
      const bornMs = this.clock.monotonicMs();
      lane.queue.push({
        ref,
        sends,
        bytes,
        baseSequence: lane.nextSequence,
        bornMs,
      });
      lane.nextSequence += planned.length;
    }
  }

  #laneOf(ref: PartitionRef): Lane {
    const name = nameOf(ref);
    const lane = this.#lanes.get(name);
    if (lane !== undefined) return lane;
    const made = { ref, nextSequence: 0, queue: [], inFlight: [], isRetrying: false };
    this.#lanes.set(name, made);
    return made;
  }

  /** At most one batch of each partition in a request, as Kafka's clients do. */
  async #sendWhatMay(): Promise<void> {
    const identity = this.#identity;
    const lanes = [...this.#lanes.values()].filter(({ queue }) => queue.length > 0);
    if (lanes.length === 0) return;
    for (const { asked, connection } of await this.byLeader(lanes)) {
      const inFlight = this.#requestsInFlight.get(connection) ?? 0;
      if (inFlight >= requestsInFlightMax || identity !== this.#identity) continue;
      const batches: Batch[] = [];
      for (const lane of asked) {
        if (lane.isRetrying && lane.inFlight.length > 0) continue;
        const batch = lane.queue.shift();
        if (batch === undefined) continue;
        lane.inFlight.push(batch);
        batches.push(batch);
      }
      if (batches.length > 0) void this.#send(connection, batches);
    }
  }

  async #send(connection: KafkaConnection, batches: readonly Batch[]): Promise<void> {
    const identity = this.#identity;
    const count = (change: number): void => {
      const before = this.#requestsInFlight.get(connection) ?? 0;
      this.#requestsInFlight.set(connection, before + change);
    };
    count(1);
    try {
      const body = produceRequest(batches, { acks: -1, version: this.#version });
      const answer = await connection.request(ApiKey.Produce, this.#version, body);
      if (identity !== this.#identity) return;
      for (const batch of batches) {
        const found = answerFor(answer, batch.ref);
        if (found !== undefined && leaderErrors.has(found.errorCode)) {
          this.lostLeader(batch.ref, { ...found.currentLeader, endpoints: answer.nodeEndpoints });
        }
        this.#settle(batch, found);
      }
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
      for (const { ref } of batches) this.lostLeader(ref);
      if (identity !== this.#identity) return;
      for (const batch of batches) this.#again(batch);
    } finally {
      count(-1);
    }
  }

  #settle(batch: Batch, answer: PartitionProduceResponse | undefined): void {
    const lane = this.#laneOf(batch.ref);
    if (answer === undefined) {
      this.host.note(`${this.name}: a produce reply says nothing of ${nameOf(batch.ref)}`);
      return this.#again(batch);
    }
    // Whatever a deleted topic says; a batch that waits for its answer goes with the others.
    if (!isKnown(this.scene, batch.ref)) return this.#drop(lane);
    switch (answer.errorCode) {
      case ErrorCode.NONE:
        if (lane.queue[0] === undefined || lane.queue[0].baseSequence > batch.baseSequence) {
          lane.isRetrying = false;
        }
        lane.inFlight = lane.inFlight.filter((other) => other !== batch);
        return this.#complete(batch, "ok", answer.baseOffset);
      case ErrorCode.DUPLICATE_SEQUENCE_NUMBER:
        lane.inFlight = lane.inFlight.filter((other) => other !== batch);
        return this.#complete(batch, "ok", undefined);
      case ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER:
        if (this.#isFirst(lane, batch)) {
          // As in Kafka: a partition that knows nothing of a producer takes any sequence as its
          // first, and so the second batch when the first was refused. The producer begins anew.
          if (batch.baseSequence === 0 || this.#isLossy(batch.ref)) return this.#abandon();
          const what = `all before sequence ${batch.baseSequence} was acknowledged`;
          this.host.note(`${this.name}: ${nameOf(batch.ref)} is out of order, but ${what}`);
          return this.#abandon();
        }
        return this.#again(batch);
      default:
        return this.#refused(batch, answer.errorCode);
    }
  }

  #refused(batch: Batch, errorCode: number): void {
    const { name, retriable } = kafkaError(errorCode);
    if (!retriable || errorCode === ErrorCode.CORRUPT_MESSAGE) {
      this.host.note(`${this.name}: ${nameOf(batch.ref)} refused a batch with ${name}`);
      return this.#abandon();
    }
    this.#again(batch);
  }

  /**
   * Whether batches that were acknowledged may be gone from the partition: with its folder; or they
   * were deleted, and the snapshot that alone told of their producers was damaged, or was lost with
   * power before it was synced, or with the disk of a member of a cluster.
   */
  #isLossy(ref: PartitionRef): boolean {
    const { history, host } = this.scene;
    if (history.losses.some(({ partition }) => partition === nameOf(ref))) return true;
    const { table } = host;
    const damages = table.hits("bit flip", "snapshot") + table.hits("truncation", "snapshot");
    const isDiskLost = table.total("power loss") > 0 || host.are === "several";
    const isForgotten = history.lostFolders.has(nameOf(ref)) || isDiskLost;
    return history.startOf(nameOf(ref)) > 0 && (isForgotten || damages > 0);
  }

  /** Whether no batch before it waits for an answer. */
  #isFirst(lane: Lane, batch: Batch): boolean {
    return [...lane.queue, ...lane.inFlight].every(
      ({ baseSequence }) => baseSequence >= batch.baseSequence,
    );
  }

  #again(batch: Batch): void {
    const lane = this.#laneOf(batch.ref);
    lane.isRetrying = true;
    lane.inFlight = lane.inFlight.filter((other) => other !== batch);
    lane.queue.push(batch);
    lane.queue.sort((left, right) => left.baseSequence - right.baseSequence);
  }

  #complete(batch: Batch, completion: Completion, baseOffset: number | undefined): void {
    batch.sends.forEach((send, index) => {
      if (baseOffset !== undefined) send.offset = baseOffset + index;
      this.scene.history.end(send, completion);
    });
    const [first] = batch.sends;
    const where = `${nameOf(batch.ref)}@${baseOffset ?? "?"}`;
    this.scene.world.trace.add(`${this.name} sent ${first?.value} ${where} ${completion}`);
  }

  /** The partition is gone with its topic. */
  #drop(lane: Lane): void {
    lane.queue = [];
    lane.inFlight = [];
  }

  #giveUpLate(): void {
    const bornBefore = this.clock.monotonicMs() - deliveryTimeoutMs;
    for (const { queue, ref } of this.#lanes.values()) {
      const [first] = queue;
      if (first === undefined) continue;
      if (!isKnown(this.scene, ref)) this.#drop(this.#laneOf(ref));
      else if (first.bornMs < bornBefore) return this.#abandon();
    }
  }

  /** Whatever has no answer stays `info`; the next batch comes from a new producer id. */
  #abandon(): void {
    this.scene.world.trace.add(`${this.name} gives up`);
    this.#lanes = new Map();
    this.#identity = undefined;
    this.disconnect();
  }
}

export function isKnown(scene: Scene, ref: PartitionRef): boolean {
  return scene.cluster.partitionsOf(ref.topic).some(({ topicId }) => topicId === ref.topicId);
}

export function produceRequest(
  batches: readonly { readonly ref: PartitionRef; readonly bytes: Uint8Array }[],
  how: { readonly acks: -1 | 0 | 1; readonly version: number },
): ProduceRequestInput {
  const byTopic = Map.groupBy(batches, ({ ref }) => ref.topicId);
  return {
    acks: how.acks,
    timeoutMs: 5_000,
    topicData: [...byTopic].map(([topicId, ofTopic]) => ({
      name: how.version < 13 ? (ofTopic[0]?.ref.topic ?? "") : "",
      topicId: how.version < 13 ? zeroUuid : (topicId as Uuid),
      partitionData: ofTopic.map(({ ref, bytes }) => ({ index: ref.partition, records: bytes })),
    })),
  };
}

export function answerFor(
  response: ProduceResponse,
  ref: PartitionRef,
): PartitionProduceResponse | undefined {
  const topic = response.responses.find(
    ({ name, topicId }) => name === ref.topic || topicId === ref.topicId,
  );
  return topic?.partitionResponses.find(({ index }) => index === ref.partition);
}
