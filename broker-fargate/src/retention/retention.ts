import { acrossTiers, decideLocalRetention, decideRetention, DiskError } from "@millrace/core";
import type { Clock, RetainedLog, Timer, Topic, TopicId, TopicSettings } from "@millrace/core";
import type { Cluster } from "../cluster/cluster.ts";
import { NotLeaderError } from "../cluster/cluster-view.ts";
import { FencedError } from "../cluster/slot-claims.ts";
import { timerMsMax } from "../limits.ts";
import type { Metrics } from "../metrics/registry.ts";
import type { PartitionOwner } from "../partition/owner.ts";
import type { Partitions } from "../partition/partitions.ts";
import { UnknownPartitionError, type WarningLog } from "../partition/partitions-deps.ts";
import { PacedLooks } from "../paced-looks.ts";
import { isRetriable, isStoreError } from "../partition/store-error.ts";
import { isGivenUp } from "../tier/tiered-partition.ts";
import type { IdleLogs } from "./idle-logs.ts";
import type { RetentionLimits } from "./limits.ts";
import { retentionLimits } from "./limits.ts";
import { RetentionMetrics } from "./retention-metrics.ts";

export interface RetentionDeps {
  readonly clock: Clock;
  readonly cluster: Pick<Cluster, "settings" | "topics" | "topicSettings">;
  readonly partitions: Pick<Partitions, "find" | "open" | "isOurs">;
  readonly idleLogs: IdleLogs;
  readonly metrics: Metrics;
  readonly log: WarningLog;
  readonly limits?: RetentionLimits;
}

/** What is known of a topic's partitions that are not loaded: until then none has anything due. */
interface Quiet {
  readonly settings: TopicSettings;
  readonly dueMs: number;
}

/**
 * Keeps partitions within `retention.ms` and `retention.bytes`, their hot copies of what is tiered
 * within `local.retention.ms` and `local.retention.bytes`, and forgets idempotent producers after
 * `producer.id.expiration.ms`: a check of all partitions every `log.retention.check.interval.ms`, in
 * turns.
 *
 * A loaded partition is decided about from memory. One that is not loaded is looked at by its files,
 * once; after that its topic is left alone until the earliest time at which one of them may have
 * something due, or its settings change. Only then it is loaded. So what an idle partition costs is
 * one look per start, and a broker without topics does nothing.
 *
 * Promised: the log's start is stored durably before anything below it is deleted. A partition that
 * fails harms no other one; a full disk, or metadata that is away, bring the next check forward,
 * since what is deleted elsewhere makes room.
 */
export class Retention {
  readonly #deps: RetentionDeps;
  readonly #limits: RetentionLimits;
  readonly #looks: PacedLooks;
  readonly #metrics: RetentionMetrics;
  readonly #quiet = new Map<TopicId, Quiet>();
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #closed = false;
  /** Something failed that may do soon. */
  #triesSoon = false;

  constructor(deps: RetentionDeps) {
    this.#deps = deps;
    this.#limits = deps.limits ?? retentionLimits;
    this.#looks = new PacedLooks(deps.clock, this.#limits);
    this.#metrics = new RetentionMetrics(deps.metrics);
  }

  /** The first check comes soon after the start, for a broker that is often restarted. */
  start(): void {
    this.#arm(Math.min(this.#limits.firstCheckMs, this.#intervalMs()));
  }

  /** This broker leads other partitions than before: what it knows of those it did not is nothing. */
  leadersChanged(): void {
    this.#quiet.clear();
  }

  /** Resolves when no check is under way; none comes after. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    this.#looks.close();
    await this.#running;
  }

  /** Checks every partition once. Never rejects for what disks and stores do. */
  async check(): Promise<void> {
    const { clock, cluster } = this.#deps;
    const beganMs = clock.monotonicMs();
    this.#triesSoon = false;
    this.#looks.begin();
    const topics = cluster.topics.list();
    for (const topic of topics) {
      if (this.#closed) return;
      await this.#checkTopic(topic);
    }
    const present = new Set(topics.map(({ id }) => id));
    for (const id of this.#quiet.keys()) if (!present.has(id)) this.#quiet.delete(id);
    this.#metrics.checked(clock.monotonicMs() - beganMs);
  }

  #intervalMs(): number {
    return this.#deps.cluster.settings.logRetentionCheckIntervalMs;
  }

  #arm(delayMs: number): void {
    if (this.#closed) return;
    this.#timer = this.#deps.clock.after(Math.min(delayMs, timerMsMax), () => {
      this.#running = this.check().finally(() => {
        const nextMs = this.#intervalMs();
        this.#arm(this.#triesSoon ? Math.min(this.#limits.retryMs, nextMs) : nextMs);
      });
    });
  }

  async #checkTopic(topic: Topic): Promise<void> {
    const { clock, cluster, partitions } = this.#deps;
    const settings = cluster.topicSettings(topic);
    const known = this.#quiet.get(topic.id);
    const isQuiet = known?.settings === settings && known.dueMs > clock.wallMs();
    let dueMs = Number.POSITIVE_INFINITY;
    for (let partition = 0; partition < topic.partitionCount; partition++) {
      await this.#looks.next();
      if (this.#closed) return;
      const owner = partitions.find(topic.id, partition);
      if (owner !== undefined) await this.#tryTo(() => this.#checkLoaded(owner), owner);
      else if (!isQuiet && partitions.isOurs(topic.id, partition)) {
        dueMs = Math.min(dueMs, await this.#checkIdle(topic, partition, settings));
      }
    }
    if (!isQuiet) this.#quiet.set(topic.id, { settings, dueMs });
  }

  /** The wall time at which to look again; infinite for a partition that is loaded now. */
  async #checkIdle(topic: Topic, partition: number, settings: TopicSettings): Promise<number> {
    const { clock, idleLogs, partitions } = this.#deps;
    let nextMs = Number.POSITIVE_INFINITY;
    const done = await this.#tryTo(async () => {
      this.#metrics.looked();
      const nowMs = clock.wallMs();
      const dueMs = await idleLogs.dueMs({ topicId: topic.id, partition }, settings, nowMs);
      if (dueMs > nowMs) nextMs = dueMs;
      else await this.#checkLoaded(await partitions.open(topic.id, partition));
    });
    return done ? nextMs : 0;
  }

  async #checkLoaded(owner: PartitionOwner): Promise<void> {
    if (owner.isOver) return;
    const { clock, cluster } = this.#deps;
    const nowMs = clock.wallMs();
    owner.log.producers.expire(nowMs, cluster.settings.producerIdExpirationMs);
    const steps = decideRetention(retainedLog(owner), owner.settings, nowMs);
    const last = steps.at(-1);
    if (last !== undefined) {
      await owner.deleteRecordsBefore(last.upTo);
      this.#metrics.deleted(steps);
    }
    if (!owner.isOver) this.#dropHotCopies(owner, nowMs);
  }

  /** `local.retention.ms` and `local.retention.bytes`: of what the object store has as well. */
  #dropHotCopies(owner: PartitionOwner, nowMs: number): void {
    const tieredEnd = owner.tiered?.cold.endOffset;
    // What is given up there would be the last copy soon.
    if (tieredEnd === undefined || isGivenUp(owner.settings)) return;
    const { highWatermark, log, logStartOffset } = owner;
    const segments = [...log.segments()];
    const hot = { segments, logStartOffset, highWatermark, logEndOffset: log.endOffset, tieredEnd };
    const steps = decideLocalRetention(hot, owner.settings, nowMs);
    const last = steps.at(-1);
    if (last === undefined) return;
    log.removeLocalBefore(last.upTo);
    this.#metrics.droppedLocally(steps);
  }

  /** False where it failed; what is not expected is thrown. */
  async #tryTo(run: () => Promise<void>, owner?: PartitionOwner): Promise<boolean> {
    try {
      await run();
      return true;
    } catch (error) {
      // Deleted, or another owner's, meanwhile: nothing of it is left to do here.
      const isGone = error instanceof UnknownPartitionError || error instanceof NotLeaderError;
      if (isGone || error instanceof FencedError) return true;
      if (!isStoreError(error)) throw error;
      this.#metrics.failed();
      const isHot = owner !== undefined && error instanceof DiskError;
      const repair = isHot ? await owner.repairHot(error) : "refused";
      this.#triesSoon ||= repair !== "refused" || isRetriable(error);
      this.#deps.log.warn({ err: error }, "retention could not do a partition");
      return false;
    }
  }
}

/** The partition as retention sees it, both tiers as one log. */
function retainedLog(owner: PartitionOwner): RetainedLog {
  const { highWatermark, log, logStartOffset } = owner;
  const segments = acrossTiers(owner.tiered?.cold.parts() ?? [], [...log.segments()]);
  return { segments, logStartOffset, highWatermark, logEndOffset: log.endOffset };
}
