import type { Clock } from "@millrace/core";
import { buildBatch, crc32c, type ProduceRequest, zeroUuid } from "@millrace/wire";
import type { Broker } from "../../../broker-fargate/src/broker.ts";
import { produceHandler } from "../../../broker-fargate/src/handlers/00-produce.ts";
import type { RequestContext } from "../../../broker-fargate/src/handlers/handler.ts";
import { contextOf } from "../../../broker-fargate/src/handlers/partition-kit.ts";
import { Leaders } from "../leaders.ts";
import { type PartitionWindow, Windows } from "../windows.ts";
import { GoneError, type VirtualBroker } from "./virtual-broker.ts";

const intervalMs = 10;
/** As seldom as lets the journal still have an object for each linger. */
const restingIntervalMs = 100;
/** Linger and one put of the journal are over by then. */
const silentMs = 300;
const metadataPauseMs = 20;
const produceVersion = 11;

/**
 * What `probe.ts` does to processes, on virtual time, through the handlers: every 10 ms one record
 * to each partition, acks=all, without waiting for the answers before and without back-off.
 */
export class VirtualProbe {
  readonly #clock: Clock;
  readonly #brokers: () => readonly VirtualBroker[];
  readonly #topic: string;
  readonly #partitions: readonly number[];
  readonly #leaders: Leaders;
  readonly #windows: Windows;
  /** By partition. An offset that is acknowledged twice is an anomaly. */
  readonly #acknowledged: readonly Set<number>[];
  readonly #fail: (what: string) => void;
  #askedMs = Number.NEGATIVE_INFINITY;
  #turn = 0;
  #isOver = false;
  /** While nothing is measured, so that a minute takes little time. */
  isResting = false;

  constructor(at: {
    readonly clock: Clock;
    readonly brokers: () => readonly VirtualBroker[];
    readonly topic: string;
    readonly partitions: number;
    readonly fail: (what: string) => void;
  }) {
    this.#clock = at.clock;
    this.#brokers = at.brokers;
    this.#topic = at.topic;
    this.#partitions = Array.from({ length: at.partitions }, (_, partition) => partition);
    this.#leaders = new Leaders(at.brokers().map(({ listener }) => listener.port));
    this.#windows = new Windows(at.partitions, at.clock.monotonicMs());
    this.#acknowledged = this.#partitions.map(() => new Set());
    this.#fail = at.fail;
  }

  get acknowledged(): number {
    return this.#acknowledged.reduce((sum, { size }) => sum + size, 0);
  }

  start(): void {
    if (this.#isOver) return;
    for (const partition of this.#partitions) this.#probe(partition);
    this.#clock.after(this.isResting ? restingIntervalMs : intervalMs, () => this.start());
  }

  end(): void {
    this.#isOver = true;
  }

  /** Ends a window of time. */
  window(): readonly PartitionWindow[] {
    const leaderOf = (partition: number): number | undefined => {
      return this.#leaders.of(partition)?.broker;
    };
    return this.#windows.next(this.#clock.monotonicMs(), leaderOf);
  }

  silenceMs(): number {
    return this.#windows.silenceMs(this.#clock.monotonicMs());
  }

  #probe(partition: number): void {
    const nowMs = this.#clock.monotonicMs();
    const leader = this.#leaders.of(partition);
    const broker = leader && this.#brokers().find(({ id }) => id === leader.broker);
    const isSilent = this.#windows.silenceOf(partition, nowMs) > silentMs;
    if (broker?.isUp !== true || isSilent) this.#askMetadata();
    if (broker?.isUp === true) this.#produce(broker, partition);
  }

  #produce(asked: VirtualBroker, index: number): void {
    const timestamp = this.#clock.wallMs();
    const records = buildBatch([{ key: null, value: Uint8Array.of(index), timestamp }], { crc32c });
    const request: ProduceRequest = {
      ...{ transactionalId: null, acks: -1, timeoutMs: 30_000 },
      topicData: [{ name: this.#topic, topicId: zeroUuid, partitionData: [{ index, records }] }],
    };
    const produce = async (broker: Broker): Promise<void> => {
      const context = contextAt(asked, produceVersion);
      const response = await produceHandler(broker).handle(request, context);
      const answer = response?.responses[0]?.partitionResponses[0];
      if (answer === undefined) return this.#fail("a produce was answered without its partition");
      const { baseOffset, currentLeader, errorCode } = answer;
      if (errorCode === 0) return this.#acked(index, baseOffset);
      const hint = { leaderId: -1, leaderEpoch: -1, ...currentLeader };
      if (!this.#leaders.learnHint(index, hint, [])) this.#askMetadata();
    };
    asked.ask(produce).catch((error: unknown) => this.#lost(error));
  }

  #acked(partition: number, offset: number): void {
    const offsets = this.#acknowledged[partition];
    if (offsets?.has(offset) === true) this.#fail(`${partition}: ${offset} was acknowledged twice`);
    offsets?.add(offset);
    this.#windows.acked(partition, this.#clock.monotonicMs());
  }

  /** Whom Metadata would name. Of one broker after the other: some may be gone, or paused. */
  #askMetadata(): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#askedMs < metadataPauseMs) return;
    this.#askedMs = nowMs;
    const up = this.#brokers().filter(({ isUp }) => isUp);
    this.#turn += 1;
    const asked = up[this.#turn % up.length];
    if (asked === undefined) return;
    const ask = ({ cluster, view }: Broker): void => {
      const topic = cluster.topics.byName(this.#topic);
      if (topic === undefined) return;
      for (const partition of this.#partitions) {
        const leader = view.leaderOf(cluster.slotOfPartition(topic.id, partition));
        const known = { leaderId: leader?.brokerId ?? -1, leaderEpoch: leader?.epoch ?? -1 };
        this.#leaders.learnHint(partition, known, []);
      }
    };
    asked.ask(ask).catch((error: unknown) => this.#lost(error));
  }

  #lost(error: unknown): void {
    if (error instanceof GoneError) this.#askMetadata();
    else this.#fail(String(error));
  }
}

function contextAt({ listener }: VirtualBroker, apiVersion: number): RequestContext {
  const context = contextOf(apiVersion);
  return { ...context, connection: { ...context.connection, listener } };
}
