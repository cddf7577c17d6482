/**
 * Keeps the buffers of the assigned partitions filled: one poll at a time to each leader, or to the
 * broker that a leader names because it is nearer (KIP-392), for the
 * partitions that have room. It is a long poll where all of them have; while some have messages to
 * take, nothing may wait for news of the others, or a partition that is taken empty meanwhile would
 * wait as long. Then those without news rest for a while.
 *
 * What can be tried again is tried again, after a while; what can't be is handed to `fail`.
 */
import { type ClusterView, saysStale } from "../cluster/cluster-view.ts";
import { MillraceError } from "../errors.ts";
import {
  consumerBufferBytesMax,
  fetchBytesMax,
  fetchWaitMsMax,
  idleRestMs,
  metadataAgeMsMax,
  partitionFetchBytesMax,
} from "../limits.ts";
import { afterThisTurn, backoffMs, later, nowMs } from "../timing.ts";
import type { FetchResult, Transport } from "../transport/transport.ts";
import type { AssignedPartition } from "./assigned-partition.ts";
import type { ConsumerSettings } from "./options.ts";
import { resolvePositions } from "./positions.ts";

export interface FetcherDeps {
  readonly transport: Transport;
  readonly groups: Transport["groups"];
  readonly view: ClusterView;
  readonly settings: ConsumerSettings;
  readonly assigned: () => readonly AssignedPartition[];
  /** There is something to hand out. */
  readonly arrived: () => void;
  readonly fail: (error: MillraceError) => void;
}

interface Polls {
  readonly asked: Poll[];
  /** Of those with room, the ones that had no news a moment ago. */
  readonly resting: Poll[];
  /** Some partition of the leader has no room, because its messages wait to be taken. */
  isBusy: boolean;
}

interface Poll {
  readonly partition: AssignedPartition;
  readonly topicId: string;
  readonly leaderEpoch: number;
  readonly offset: number;
  readonly seeks: number;
  /** Whether it is asked of the leader, whose word counts. */
  readonly isOfLeader: boolean;
}

export class Fetcher {
  readonly #deps: FetcherDeps;
  readonly #polled = new Set<number>();
  readonly #resolving = new Set<AssignedPartition>();
  readonly #asked = new Set<string>();
  #isLooking = false;
  /** A timer looks again when partitions have rested. */
  #isWaking = false;
  #stopped = false;

  constructor(deps: FetcherDeps) {
    this.#deps = deps;
  }

  /** Something has changed: a partition came, was sought in, or has room again. */
  wake(): void {
    if (this.#stopped) return;
    if (this.#isLooking) return;
    this.#isLooking = true;
    afterThisTurn(() => {
      this.#isLooking = false;
      if (!this.#stopped) this.#look();
    });
  }

  /** What is under way ends with the transport. */
  stop(): void {
    this.#stopped = true;
  }

  #look(): void {
    const now = nowMs();
    const assigned = this.#deps.assigned();
    const lost = assigned.filter(
      (partition) =>
        partition.fetchFrom === undefined &&
        partition.notBeforeMs <= now &&
        !this.#resolving.has(partition),
    );
    if (lost.length > 0) this.#resolve(lost).catch(() => undefined);
    if (isFull(assigned)) {
      // What nobody may take must not keep the others from being fetched.
      for (const partition of assigned) if (partition.paused) partition.forgetFetched();
      if (isFull(assigned)) return;
    }
    const polls = new Map<number, Polls>();
    for (const partition of assigned) {
      if (partition.notBeforeMs <= now && !partition.paused) this.#join(polls, partition, now);
    }
    for (const [leader, { asked, resting, isBusy }] of polls) {
      if (this.#polled.has(leader)) continue;
      const ready = isBusy ? asked : [...asked, ...resting];
      if (ready.length === 0) continue;
      this.#poll(leader, ready, isBusy ? 0 : fetchWaitMsMax).catch(() => undefined);
    }
  }

  #join(polls: Map<number, Polls>, partition: AssignedPartition, now: number): void {
    if (partition.fetchFrom === undefined) return;
    const topic = this.#deps.view.peek(partition.topic);
    const known = topic?.partitions.find((other) => other.partition === partition.partition);
    if (topic === undefined || known === undefined || known.leader < 0) {
      this.#askFor(partition.topic);
      return;
    }
    if (partition.nearer !== undefined && partition.nearer.untilMs < now)
      partition.nearer = undefined;
    const node = partition.nearer?.node ?? known.leader;
    const ofNode = polls.get(node) ?? { asked: [], resting: [], isBusy: false };
    polls.set(node, ofNode);
    if (partition.bufferedBytes > partitionFetchBytesMax / 2) {
      ofNode.isBusy = true;
      return;
    }
    const list = partition.restsUntilMs > now ? ofNode.resting : ofNode.asked;
    list.push({
      ...{ partition, topicId: topic.topicId, leaderEpoch: known.leaderEpoch },
      ...{ offset: partition.fetchFrom, seeks: partition.seeks },
      isOfLeader: node === known.leader,
    });
  }

  #askFor(topic: string): void {
    if (this.#asked.has(topic)) return;
    this.#asked.add(topic);
    this.#deps.view.forget(topic);
    this.#deps.view
      .topic(topic)
      .catch((error: unknown) => this.#giveUpUnlessRetriable(error))
      .finally(() => {
        this.wake();
        later(backoffMs(1), () => {
          this.#asked.delete(topic);
          this.wake();
        });
      });
  }

  async #resolve(partitions: readonly AssignedPartition[]): Promise<void> {
    for (const partition of partitions) this.#resolving.add(partition);
    try {
      const { groups, transport, view, settings } = this.#deps;
      const { group, from, isolation } = settings;
      await resolvePositions(partitions, { groups, transport, view, group, from, isolation });
      for (const partition of partitions) partition.failures = 0;
    } catch (error) {
      for (const partition of partitions) this.#postpone(partition, error);
    } finally {
      for (const partition of partitions) this.#resolving.delete(partition);
      this.wake();
    }
  }

  async #poll(leader: number, polls: readonly Poll[], maxWaitMs: number): Promise<void> {
    this.#polled.add(leader);
    const { transport, settings } = this.#deps;
    try {
      const results = await transport.fetch(leader, {
        partitions: polls.map(({ partition, ...asked }) => ({
          topic: partition.topic,
          partition: partition.partition,
          ...{ topicId: asked.topicId, offset: asked.offset, leaderEpoch: asked.leaderEpoch },
        })),
        ...{ maxWaitMs, maxBytes: fetchBytesMax },
        ...{ partitionMaxBytes: partitionFetchBytesMax, isolation: settings.isolation },
        rack: settings.rack,
      });
      for (const result of results) this.#read(result, polls);
      if (results.some(({ records }) => records.length > 0)) this.#deps.arrived();
    } catch (error) {
      for (const { partition } of polls) this.#postpone(partition, error);
    } finally {
      this.#polled.delete(leader);
      this.wake();
    }
  }

  #read(result: FetchResult, polls: readonly Poll[]): void {
    const poll = polls.find(
      ({ partition }) =>
        partition.topic === result.topic && partition.partition === result.partition,
    );
    if (poll === undefined) return;
    const { isOfLeader, partition, seeks } = poll;
    if (result.nearerNode !== undefined) {
      partition.nearer = { node: result.nearerNode, untilMs: nowMs() + metadataAgeMsMax };
    } else if (result.error === undefined) {
      partition.failures = 0;
      if (result.records.length === 0 && result.nextOffset === poll.offset) this.#rest(partition);
      // Of two brokers that were asked for the same, because another one is asked by now, the first counts.
      if (partition.fetchFrom === poll.offset) partition.add(result, seeks);
    } else if (result.error.code !== "OFFSET_OUT_OF_RANGE") {
      this.#postpone(partition, result.error);
    } else if (!isOfLeader) {
      // A follower may not have it yet: its leader knows.
      partition.nearer = undefined;
    } else if (partition.seeks === seeks && partition.fetchFrom === poll.offset) {
      const { from } = this.#deps.settings;
      // An offset of the options may be gone as well: to ask for it again would never end.
      const isOffset = typeof from === "object" && "offset" in from;
      partition.seek(isOffset ? { nearestTo: poll.offset } : from);
    }
  }

  #rest(partition: AssignedPartition): void {
    partition.restsUntilMs = nowMs() + idleRestMs;
    if (this.#isWaking) return;
    this.#isWaking = true;
    later(idleRestMs, () => {
      this.#isWaking = false;
      this.wake();
    });
  }

  #postpone(partition: AssignedPartition, error: unknown): void {
    if (this.#giveUpUnlessRetriable(error)) return;
    if (saysStale(error)) this.#deps.view.forget(partition.topic);
    partition.nearer = undefined;
    partition.failures += 1;
    const waitMs = backoffMs(partition.failures);
    partition.notBeforeMs = nowMs() + waitMs;
    later(waitMs, () => this.wake());
  }

  #giveUpUnlessRetriable(error: unknown): boolean {
    if (this.#stopped) return true;
    const failure =
      error instanceof MillraceError
        ? error
        : new MillraceError({
            ...{ code: "INVALID_RESPONSE", message: String(error), retriable: false },
            cause: error,
          });
    // A topic id that no broker knows: the topic was deleted and created again, under another one.
    if (failure.retriable || saysStale(failure)) return false;
    this.#deps.fail(failure);
    return true;
  }
}

function isFull(assigned: readonly AssignedPartition[]): boolean {
  const buffered = assigned.reduce((sum, { bufferedBytes }) => sum + bufferedBytes, 0);
  return buffered >= consumerBufferBytesMax;
}
