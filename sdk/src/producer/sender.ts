/**
 * Sends what the queues of a producer have ready: one Produce request to a leader with the batches
 * of many partitions, a few requests to each leader at a time. Reads what comes back: acknowledged,
 * to be sent again, or failed. Nothing that may help is left untried until a record's time is up.
 */
import { type ClusterView, saysStale } from "../cluster/cluster-view.ts";
import { ConnectionError, MillraceError } from "../errors.ts";
import { producesInFlightMax, requestBytesMax } from "../limits.ts";
import { afterThisTurn, backoffMs, later, nowMs, retrying } from "../timing.ts";
import type { ProduceResult, ProducerIdentity, Transport } from "../transport/transport.ts";
import type { ProducerSettings } from "./options.ts";
import type { Batch, PartitionQueue } from "./partition-queue.ts";

interface Outgoing {
  readonly queue: PartitionQueue;
  readonly batch: Batch;
}

/** Codes that say: the broker has forgotten this producer, or numbers are missing. */
const lostStateCodes: ReadonlySet<string> = new Set([
  "OUT_OF_ORDER_SEQUENCE_NUMBER",
  "UNKNOWN_PRODUCER_ID",
  "INVALID_PRODUCER_EPOCH",
  "INVALID_PRODUCER_ID_MAPPING",
  "PRODUCER_FENCED",
]);

const tooLargeCodes: ReadonlySet<string> = new Set(["MESSAGE_TOO_LARGE", "RECORD_LIST_TOO_LARGE"]);

export class Sender {
  readonly #transport: Transport;
  readonly #view: ClusterView;
  readonly #settings: ProducerSettings;
  readonly #active = new Set<PartitionQueue>();
  readonly #inFlight = new Map<number, number>();
  readonly #asked = new Set<string>();
  readonly #needIdentity = new Set<PartitionQueue>();
  #firstIdentity: Promise<ProducerIdentity> | undefined;
  #isLooking = false;
  #hurried = 0;
  readonly #emptied: (() => void)[] = [];

  constructor(transport: Transport, view: ClusterView, settings: ProducerSettings) {
    this.#transport = transport;
    this.#view = view;
    this.#settings = settings;
  }

  /** The queue has a record more; `opened`: a batch that must be looked at when it is due. */
  added(queue: PartitionQueue, opened: boolean): void {
    this.#active.add(queue);
    const { lingerMs } = this.#settings;
    if (lingerMs === 0 || this.#hurried > 0 || !opened) this.#soon();
    else later(lingerMs, () => this.#soon());
  }

  /** Lets nothing linger, until what is there has gone, and what `entering` brings as well. */
  async flush(entering: Promise<unknown>): Promise<void> {
    this.#hurried += 1;
    this.#soon();
    try {
      await entering;
      if (this.#active.size > 0) {
        await new Promise<void>((resolve) => this.#emptied.push(resolve));
      }
    } finally {
      this.#hurried -= 1;
    }
  }

  /** Fails everything that no broker has, for good. */
  abandon(error: MillraceError): void {
    for (const queue of this.#active) failAll(queue.clear(), error);
  }

  #soon(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    afterThisTurn(() => {
      this.#isLooking = false;
      this.#look();
    });
  }

  #look(): void {
    const now = nowMs();
    const openedByMs = this.#hurried > 0 ? now : now - this.#settings.lingerMs;
    const requests = new Map<number, Outgoing[]>();
    for (const queue of this.#active) {
      this.#expire(queue, now);
      const batch = queue.ready(now, openedByMs);
      if (batch === undefined) {
        if (queue.isEmpty) this.#active.delete(queue);
        continue;
      }
      const leader = this.#leaderOf(queue);
      if (leader === undefined || !this.#hasIdentity(queue)) continue;
      if (!this.#joins(requests, leader, batch)) continue;
      const outgoing = queue.send();
      if (outgoing !== undefined) requests.get(leader)?.push({ queue, batch: outgoing });
    }
    for (const [leader, outgoing] of requests) {
      if (outgoing.length > 0) this.#send(leader, outgoing).catch(() => undefined);
    }
    if (this.#active.size === 0) for (const emptied of this.#emptied.splice(0)) emptied();
  }

  /** True if the batch may go to the leader now; a further request of the same look comes later. */
  #joins(requests: Map<number, Outgoing[]>, leader: number, batch: Batch): boolean {
    const request = requests.get(leader) ?? [];
    requests.set(leader, request);
    if ((this.#inFlight.get(leader) ?? 0) >= producesInFlightMax) return false;
    if (request.length === 0) return true;
    const bytes = request.reduce((sum, outgoing) => sum + outgoing.batch.bytes, batch.bytes);
    if (bytes <= requestBytesMax) return true;
    this.#soon();
    return false;
  }

  #leaderOf(queue: PartitionQueue): number | undefined {
    const leader = this.#view.partition(queue.topic, queue.partition)?.leader ?? -1;
    if (leader >= 0) return leader;
    this.#askFor(queue.topic);
    return undefined;
  }

  #askFor(topic: string): void {
    if (this.#asked.has(topic)) return;
    this.#asked.add(topic);
    this.#view.forget(topic);
    this.#view
      .topic(topic)
      .catch((error: unknown) => {
        if (error instanceof MillraceError && !error.retriable) this.#failTopic(topic, error);
      })
      .finally(() => {
        // Also where a partition has no leader yet: then it is asked for again, but not at once.
        later(backoffMs(1), () => {
          this.#asked.delete(topic);
          this.#soon();
        });
        this.#soon();
      });
  }

  #failTopic(topic: string, error: MillraceError): void {
    for (const queue of this.#active) if (queue.topic === topic) failAll(queue.clear(), error);
  }

  #hasIdentity(queue: PartitionQueue): boolean {
    if (!this.#settings.idempotent || queue.identity !== undefined) return true;
    if (!this.#needIdentity.has(queue)) {
      this.#needIdentity.add(queue);
      this.#identify(queue).catch(() => undefined);
    }
    return false;
  }

  async #identify(queue: PartitionQueue): Promise<void> {
    try {
      this.#firstIdentity ??= this.#newIdentity();
      queue.identity = await this.#firstIdentity;
    } catch (error) {
      this.#firstIdentity = undefined;
      failAll(queue.clear(), asFailure(error));
    } finally {
      this.#needIdentity.delete(queue);
      this.#soon();
    }
  }

  #newIdentity(): Promise<ProducerIdentity> {
    return retrying(() => this.#transport.initProducerId(), {
      forMs: this.#settings.deliveryTimeoutMs,
      retriable: (error) => error instanceof MillraceError && error.retriable,
    });
  }

  async #send(leader: number, outgoing: readonly Outgoing[]): Promise<void> {
    this.#inFlight.set(leader, (this.#inFlight.get(leader) ?? 0) + 1);
    const { acks, compression, requestTimeoutMs } = this.#settings;
    let results: readonly ProduceResult[] = [];
    let failure: MillraceError | undefined;
    try {
      results = await this.#transport.produce(leader, {
        ...{ acks, compression, timeoutMs: requestTimeoutMs },
        batches: outgoing.map(({ queue, batch }) => ({
          topic: queue.topic,
          partition: queue.partition,
          records: batch.records.map(({ record }) => record),
          ...(queue.identity === undefined || batch.firstSequence === undefined
            ? {}
            : { sequence: { identity: queue.identity, first: batch.firstSequence } }),
        })),
      });
    } catch (error) {
      failure = asFailure(error);
    }
    this.#inFlight.set(leader, (this.#inFlight.get(leader) ?? 1) - 1);
    for (const { queue, batch } of outgoing) {
      const result = results.find(
        ({ topic, partition }) => topic === queue.topic && partition === queue.partition,
      );
      const error = result === undefined ? (failure ?? unnamed()) : result.error;
      if (error === undefined || error.code === "DUPLICATE_SEQUENCE_NUMBER") {
        acknowledge(queue, batch, result);
      } else this.#refused(queue, batch, error);
    }
    this.#soon();
  }

  #refused(queue: PartitionQueue, batch: Batch, error: MillraceError): void {
    if (saysStale(error)) this.#view.forget(queue.topic);
    if (tooLargeCodes.has(error.code) && batch.records.length > 1) return queue.split();
    if (lostStateCodes.has(error.code)) return this.#lostState(queue, batch, error);
    if (error.retriable) {
      const waitMs = backoffMs(batch.attempts);
      queue.again(error, nowMs() + waitMs);
      later(waitMs, () => this.#soon());
      return undefined;
    }
    queue.takeBackSequence();
    queue.done();
    failAll([batch], error);
    return undefined;
  }

  /**
   * A first attempt that the broker could not place was not appended, so it may go under a new
   * producer id. A later one may have been: to send it again could write it twice.
   */
  #lostState(queue: PartitionQueue, batch: Batch, error: MillraceError): void {
    this.#firstIdentity = undefined;
    if (batch.attempts === 1) {
      queue.again(error, 0);
      queue.loseIdentity();
      return;
    }
    queue.done();
    queue.loseIdentity();
    failAll([batch], error);
  }

  #expire(queue: PartitionQueue, now: number): void {
    for (const batch of queue.expire(now)) {
      if (batch.attempts > 0) {
        this.#firstIdentity = undefined;
        queue.loseIdentity();
      }
      const { deliveryTimeoutMs } = this.#settings;
      const message = `no broker acknowledged it within ${deliveryTimeoutMs} ms`;
      const cause = batch.lastError;
      failAll(
        [batch],
        new MillraceError({ code: "DELIVERY_TIMED_OUT", message, retriable: true, cause }),
      );
    }
  }
}

function acknowledge(queue: PartitionQueue, batch: Batch, result: ProduceResult | undefined): void {
  const baseOffset = result?.baseOffset ?? -1;
  queue.done();
  for (const [index, record] of batch.records.entries()) {
    const offset = baseOffset < 0 ? -1 : baseOffset + index;
    record.acknowledge(offset, result?.logAppendTimeMs ?? record.record.timestampMs);
  }
}

function unnamed(): MillraceError {
  return new ConnectionError("a response does not name the partition");
}

function failAll(batches: readonly Batch[], error: MillraceError): void {
  for (const { records } of batches) for (const record of records) record.fail(error);
}

function asFailure(error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new MillraceError({ code: "INVALID_RESPONSE", message, retriable: false, cause: error });
}
