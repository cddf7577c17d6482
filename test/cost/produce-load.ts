import { assert, type Timer } from "@millrace/core";
import { buildBatch, crc32c, ErrorCode, zeroUuid } from "@millrace/wire";
import { produceHandler } from "../../broker-fargate/src/handlers/00-produce.ts";
import { contextOf } from "../../broker-fargate/src/handlers/partition-kit.ts";
import type { MeteredBroker, MeteredCluster } from "./metered-cluster.ts";

/** How often producers send, and the most requests that may wait for one broker's answers. */
const tickMs = 50;
const waitingMax = 400;
/** By topic name, and answered with the leaders where one moved. */
const apiVersion = 12;

export interface ProduceLoadOptions {
  readonly topic: string;
  /** Written in turn. */
  readonly partitions: number;
  readonly batchesPerSecond: number;
  /** Of one batch's only record. */
  readonly valueBytes: number;
}

/**
 * Producers that send batches to the brokers that lead their partitions, acks=all, through the
 * handler of Produce. Whatever is refused, and a broker that does not keep up, fails the run.
 */
export class ProduceLoad {
  readonly #cluster: MeteredCluster;
  readonly #options: ProduceLoadOptions;
  readonly #batch: Uint8Array;
  readonly #leaders: readonly MeteredBroker[];
  #next = 0;
  /** Batches that are due and not sent: less than one. */
  #due = 0;
  #waiting = 0;
  #isStopped = false;
  #timer: Timer | undefined;
  acknowledged = 0;

  constructor(cluster: MeteredCluster, options: ProduceLoadOptions) {
    this.#cluster = cluster;
    this.#options = options;
    const value = Uint8Array.from({ length: options.valueBytes }, (_, index) => index * 7);
    const timestamp = cluster.clock.wallMs();
    this.#batch = buildBatch([{ key: null, value, timestamp }], { crc32c });
    this.#leaders = Array.from({ length: options.partitions }, (_, partition) => {
      return leaderOf(cluster, options.topic, partition);
    });
  }

  get bytesPerSecond(): number {
    return this.#batch.length * this.#options.batchesPerSecond;
  }

  start(): void {
    this.#tick();
  }

  /** Resolves when all is answered. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    while (this.#waiting > 0) await this.#cluster.advance(100);
  }

  #tick(): void {
    if (this.#isStopped) return;
    this.#timer = this.#cluster.clock.after(tickMs, () => this.#tick());
    this.#due += (this.#options.batchesPerSecond * tickMs) / 1000;
    const byLeader = new Map<MeteredBroker, number[]>();
    for (; this.#due >= 1; this.#due -= 1) {
      const partition = this.#next;
      this.#next = (partition + 1) % this.#leaders.length;
      const leader = this.#leaders[partition];
      assert(leader !== undefined, "every partition has a leader");
      byLeader.set(leader, [...(byLeader.get(leader) ?? []), partition]);
    }
    for (const [broker, partitions] of byLeader) this.#send(broker, partitions);
  }

  #send({ broker }: MeteredBroker, partitions: readonly number[]): void {
    this.#waiting += 1;
    assert(this.#waiting <= waitingMax, "the brokers do not keep up with the load");
    const { topic: name } = this.#options;
    // A partition may be there twice: each batch goes in a request's part of its own.
    const partitionData = partitions.map((index) => ({ index, records: this.#batch.slice() }));
    const request = {
      transactionalId: null,
      acks: -1,
      timeoutMs: 30_000,
      topicData: [{ name, topicId: zeroUuid, partitionData }],
    };
    const asked = produceHandler(broker).handle(request, contextOf(apiVersion));
    void Promise.resolve(asked).then((response) => {
      this.#waiting -= 1;
      for (const { partitionResponses } of response?.responses ?? []) {
        for (const { errorCode } of partitionResponses) this.#answered(errorCode);
      }
    });
  }

  #answered(errorCode: number): void {
    if (errorCode === ErrorCode.NONE) this.acknowledged += 1;
    else this.#cluster.fail(`a batch was refused with error ${errorCode}`);
  }
}

function leaderOf(cluster: MeteredCluster, topic: string, partition: number): MeteredBroker {
  const found = cluster.brokers.find(({ broker }) => {
    const known = broker.cluster.topics.byName(topic);
    assert(known !== undefined, `every broker knows ${topic}`);
    return broker.view.leads(broker.cluster.slotOfPartition(known.id, partition));
  });
  assert(found !== undefined, `somebody leads ${topic}-${partition}`);
  return found;
}
