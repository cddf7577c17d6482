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
import type { Batch, Failure, PartitionQueue } from "./partition-queue.ts";

interface Outgoing {
  readonly queue: PartitionQueue;
  readonly batch: Batch;
}

interface Request {
  readonly outgoing: Outgoing[];
  bytes: number;
}

/** Codes that say: the broker has forgotten this producer, or numbers are missing. */
const lostStateCodes: ReadonlySet<string> = new Set([
  "OUT_OF_ORDER_SEQUENCE_NUMBER",
  "UNKNOWN_PRODUCER_ID",
  "INVALID_PRODUCER_EPOCH",
  "INVALID_PRODUCER_ID_MAPPING",
  "PRODUCER_FENCED",
]);

/** Who waits for what was there when it asked. */
interface Flush {
  /** Of each queue, the place behind its last batch. */
  readonly ends: Map<PartitionQueue, number>;
  readonly done: () => void;
}

/** Codes of answers that do not say whether the batch was appended. */
const unsureCodes: ReadonlySet<string> = new Set(["UNKNOWN_SERVER_ERROR"]);

const tooLargeCodes: ReadonlySet<string> = new Set(["MESSAGE_TOO_LARGE", "RECORD_LIST_TOO_LARGE"]);

export class Sender {
  readonly #transport: Transport;
  readonly #view: ClusterView;
  readonly #settings: ProducerSettings;
  readonly #active = new Set<PartitionQueue>();
  readonly #inFlight = new Map<number, number>();
  readonly #asked = new Set<string>();
  readonly #needIdentity = new Set<PartitionQueue>();
  /** What a queue without an identity gets. */
  #nextIdentity: Promise<ProducerIdentity> | undefined;
  #lastIdentity: ProducerIdentity | undefined;
  #isLooking = false;
  #hurried = 0;
  readonly #flushes = new Set<Flush>();
  /** Calls off the timers of batches that linger. */
  readonly #lingering = new Set<() => void>();

  constructor(transport: Transport, view: ClusterView, settings: ProducerSettings) {
    this.#transport = transport;
    this.#view = view;
    this.#settings = settings;
  }

  /** The queue has a record more; `opened`: a batch that must be looked at when it is due. */
  added(queue: PartitionQueue, opened: boolean): void {
    this.#active.add(queue);
    const { lingerMs } = this.#settings;
    if (lingerMs === 0 || this.#hurried > 0 || queue.hasSealed) this.#soon();
    else if (opened) this.#lookAfter(lingerMs);
  }

  /** The batch that grows in the queue is full. */
  seal(queue: PartitionQueue): void {
    queue.seal();
    if (queue.hasSealed) this.#soon();
  }

  /**
   * Lets nothing linger, until what is there has gone, and what `entering` brings as well. What comes
   * later may stay: else who flushes would wait as long as anybody sends.
   */
  async flush(entering: Promise<unknown>): Promise<void> {
    this.#hurried += 1;
    this.#soon();
    try {
      await entering;
      const ends = new Map(Array.from(this.#active, (queue) => [queue, queue.end] as const));
      if (ends.size > 0) {
        await new Promise<void>((done) => this.#flushes.add({ ends, done }));
      }
    } finally {
      this.#hurried -= 1;
    }
  }

  /** Fails everything that no broker has, for good. */
  abandon(error: MillraceError): void {
    for (const callOff of this.#lingering) callOff();
    for (const queue of this.#active) failAll(queue.clear(), error);
  }

  #lookAfter(lingerMs: number): void {
    const callOff = later(lingerMs, () => {
      this.#lingering.delete(callOff);
      this.#soon();
    });
    this.#lingering.add(callOff);
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
    for (const queue of this.#active) {
      this.#expire(queue, now);
      this.#renew(queue);
    }
    while (this.#sendOnce(now, openedByMs)) {
      // Until all that is ready has gone, or has to wait for an answer.
    }
    for (const queue of this.#active) if (queue.isEmpty) this.#active.delete(queue);
    for (const flush of this.#flushes) this.#endIfGone(flush);
  }

  #endIfGone(flush: Flush): void {
    const { done, ends } = flush;
    for (const [queue, end] of ends) if (queue.isPast(end)) ends.delete(queue);
    if (ends.size > 0) return;
    this.#flushes.delete(flush);
    done();
  }

  /** Sends a request to each leader that may have one. True if more is ready than went with them. */
  #sendOnce(now: number, openedByMs: number): boolean {
    const requests = new Map<number, Request>();
    let isMoreReady = false;
    for (const queue of this.#active) {
      const batch = queue.ready(now, openedByMs);
      if (batch === undefined) continue;
      const leader = this.#leaderOf(queue);
      if (leader === undefined || !this.#hasIdentity(queue)) continue;
      if ((this.#inFlight.get(leader) ?? 0) >= producesInFlightMax) continue;
      const request = requests.get(leader) ?? { outgoing: [], bytes: 0 };
      if (request.outgoing.length > 0 && request.bytes + batch.bytes > requestBytesMax) {
        isMoreReady = true;
        continue;
      }
      requests.set(leader, request);
      queue.send();
      request.outgoing.push({ queue, batch });
      request.bytes += batch.bytes;
      if (queue.ready(now, openedByMs) !== undefined) isMoreReady = true;
    }
    for (const [leader, { outgoing }] of requests) {
      for (const { queue } of outgoing) this.#toTheEnd(queue);
      this.#send(leader, outgoing).catch(() => undefined);
    }
    return isMoreReady && requests.size > 0;
  }

  /** Whoever has sent comes after those that have not: else a few queues could fill all requests. */
  #toTheEnd(queue: PartitionQueue): void {
    this.#active.delete(queue);
    this.#active.add(queue);
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
      const asked = (this.#nextIdentity ??= this.#newIdentity());
      const identity = await asked;
      // An answer that comes late must not be taken for what the others get by now.
      if (this.#nextIdentity === asked) this.#lastIdentity = identity;
      queue.adopt(identity);
    } catch (error) {
      this.#nextIdentity = undefined;
      failAll(queue.clear(), asFailure(error));
    } finally {
      this.#needIdentity.delete(queue);
      this.#soon();
    }
  }

  #renew(queue: PartitionQueue): void {
    const renewed = queue.renew();
    if (renewed === undefined) return;
    if (renewed.lost === this.#lastIdentity) this.#nextIdentity = undefined;
    for (const batch of renewed.undecided) failAll([batch], batch.lastError ?? unnamed());
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
        continue;
      }
      // Nobody said what became of it.
      if (result === undefined || unsureCodes.has(error.code)) batch.isUncertain = true;
      this.#refused(queue, batch, error);
    }
    this.#soon();
  }

  #refused(queue: PartitionQueue, batch: Batch, error: MillraceError): void {
    if (saysStale(error)) this.#view.forget(queue.topic);
    if (tooLargeCodes.has(error.code) && batch.records.length > 1) return queue.split(batch);
    if (lostStateCodes.has(error.code)) return this.#lostState(queue, batch, error);
    if (error.retriable) return this.#again(queue, batch, { error, applied: "maybe" });
    queue.refuse(batch);
    failAll([batch], error);
    return undefined;
  }

  #again(
    queue: PartitionQueue,
    batch: Batch,
    failure: Pick<Failure, "error" | "applied">,
  ): undefined {
    const waitMs = backoffMs(batch.attempts);
    queue.again(batch, { ...failure, notBeforeMs: nowMs() + waitMs });
    later(waitMs, () => this.#soon());
  }

  /**
   * Whether the broker could not place a batch because it lacks the one before, or because it does
   * not know this producer any more, says only the oldest. What certainly was not appended may go
   * under a new producer id; to send again what may have been could write it twice.
   */
  #lostState(queue: PartitionQueue, batch: Batch, error: MillraceError): void {
    if (!queue.isOldest(batch)) {
      queue.again(batch, { error, applied: "no", notBeforeMs: 0 });
      return;
    }
    queue.loseIdentity();
    if (batch.isUncertain) {
      queue.refuse(batch);
      failAll([batch], error);
    } else if (batch.attempts === 1) {
      queue.again(batch, { error, applied: "no", notBeforeMs: 0 });
    } else {
      this.#again(queue, batch, { error, applied: "no" });
    }
  }

  #expire(queue: PartitionQueue, now: number): void {
    for (const batch of queue.expire(now)) {
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
  queue.acknowledge(batch);
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
