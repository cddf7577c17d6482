import { cleanable, DiskError, hashSeedBytes, KeyMemory, SideWorkError } from "@millrace/core";
import type {
  Cleanable,
  Clock,
  CompactionTools,
  Disk,
  Random,
  SideWork,
  Slot,
  Timer,
  TopicId,
  TopicSettings,
} from "@millrace/core";
import { NotLeaderError } from "../cluster/cluster-view.ts";
import type { Cluster, Topic } from "../cluster/cluster.ts";
import { FencedError } from "../cluster/slot-claims.ts";
import type { Metrics } from "../metrics/registry.ts";
import type { PartitionOwner } from "../partition/owner.ts";
import type { Partitions } from "../partition/partitions.ts";
import { UnknownPartitionError, type WarningLog } from "../partition/partitions-deps.ts";
import { isRetriable, isStoreError } from "../partition/store-error.ts";
import { PacedLooks } from "../paced-looks.ts";
import { ColdCleaner } from "./cold-cleaner.ts";
import type { ColdRoundOutcome } from "./cold-round.ts";
import { CompactionMetrics } from "./compaction-metrics.ts";
import { isIdleColdRoundDue, isIdleRoundDue } from "./idle-partitions.ts";
import { compactionLimits, type CompactionLimits } from "./limits.ts";
import { CompactionRound, type RoundOrder, type RoundOutcome } from "./round.ts";
import { SettledOffset } from "./settled-offset.ts";
import { Throttle } from "./throttle.ts";

export interface LogCleanerDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
  readonly sideWork: SideWork;
  readonly tools: CompactionTools;
  readonly cluster: Pick<Cluster, "settings" | "topics" | "topicSettings">;
  readonly partitions: Pick<Partitions, "find" | "open" | "isOurs" | "journal" | "coldParts">;
  readonly metrics: Metrics;
  readonly log: WarningLog;
  readonly limits?: CompactionLimits;
  /** A strong read (ownership rule 11); by default the slots are always this broker's. */
  readonly isStillOurs?: (slot: Slot) => Promise<boolean>;
}

/** A partition that a round is due for. */
interface Due {
  readonly owner: PartitionOwner;
  readonly tier: "hot" | "cold";
  readonly cleanable: Cleanable;
}

/** When a topic's partitions that are not loaded are worth another look. */
interface IdleTopic {
  readonly settings: TopicSettings;
  readonly nextLookMs: number;
}

/** A relative offset in an index stays below it. */
const offsetSpanMax = 0x7fffffff;
/** The longest time a timer can be set to. */
const timerMsMax = 0x7fffffff;

/**
 * Compacts the partitions of topics with `cleanup.policy=compact`: every `log.cleaner.backoff.ms` it
 * looks for those that a round is due for, and works on one after another, the dirtiest first.
 *
 * Of a tiered partition both tiers are compacted, each by itself, the object store's parts by what is
 * there. Loaded partitions are looked at in memory. One that is not loaded costs a look at its folder
 * and at the names of its cold parts once, and again when its topic's settings change, or now and then where records may only wait for so
 * long; it is loaded when a round seems to be due. A broker without compacted topics does nothing
 * but see that there are none.
 *
 * A round may be interrupted at any point: by `close`, by the partition's end, by a change of the
 * topic's policy. What failed for a reason that may pass is tried again after a while; a log that
 * can't be cleaned is left alone until a restart, and counted.
 */
export class LogCleaner {
  readonly #deps: LogCleanerDeps;
  readonly #limits: CompactionLimits;
  readonly #looks: PacedLooks;
  readonly #metrics: CompactionMetrics;
  readonly #throttle: Throttle;
  readonly #keyMemory = new KeyMemory();
  readonly #settled = new WeakMap<PartitionOwner, SettledOffset>();
  readonly #cold: ColdCleaner;
  readonly #uncleanable = { hot: new Set<PartitionOwner>(), cold: new Set<PartitionOwner>() };
  readonly #idle = new Map<TopicId, IdleTopic>();
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #isClosed = false;

  constructor(deps: LogCleanerDeps) {
    this.#deps = deps;
    this.#limits = deps.limits ?? compactionLimits;
    this.#looks = new PacedLooks(deps.clock, this.#limits);
    this.#metrics = new CompactionMetrics(deps.metrics);
    this.#throttle = new Throttle(deps.clock);
    this.#cold = new ColdCleaner(deps.clock, this.#limits);
  }

  start(): void {
    // Who wants looks more often wants the first one soon.
    const { logCleanerBackoffMs } = this.#deps.cluster.settings;
    this.#arm(Math.min(this.#limits.firstLookMs, Math.max(1, logCleanerBackoffMs)));
  }

  /** This broker leads other partitions than before: those it did not were never looked at. */
  leadersChanged(): void {
    this.#idle.clear();
  }

  /** Resolves when nothing is under way; what was half written is removed. Nothing comes after. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#looks.close();
    this.#throttle.release();
    await this.#running;
  }

  /** Looks, and works until nothing is due any more. Never rejects for what disks and stores do. */
  async clean(): Promise<void> {
    if (!this.#deps.cluster.settings.logCleanerEnable) return;
    for (;;) {
      const due = await this.#look();
      let cleaned = 0;
      for (const each of due.sort(byDirtyRatio)) {
        if (this.#isClosed) return;
        // It may have changed while others were worked on.
        const found = await this.#lookAt(each.owner);
        const again = found.find(({ cleanable, tier }) => tier === each.tier && cleanable.isDue);
        if (again !== undefined && (await this.#round(again))) cleaned += 1;
      }
      if (cleaned === 0 || this.#isClosed) return;
    }
  }

  #arm(delayMs: number): void {
    if (this.#isClosed) return;
    this.#timer = this.#deps.clock.after(Math.min(delayMs, timerMsMax), () => {
      this.#running = this.clean().finally(() => {
        this.#arm(Math.max(1, this.#deps.cluster.settings.logCleanerBackoffMs));
      });
    });
  }

  /** All partitions that a round is due for. */
  async #look(): Promise<Due[]> {
    const due: Due[] = [];
    let dirtyRatioMax = 0;
    this.#looks.begin();
    const { cluster, partitions } = this.#deps;
    const { cold, hot } = this.#uncleanable;
    for (const owner of [...hot, ...cold]) {
      if (partitions.find(owner.topicId, owner.partition) === owner) continue;
      hot.delete(owner);
      cold.delete(owner);
    }
    const topics = cluster.topics.list();
    for (const topic of topics) {
      if (this.#isClosed) return [];
      const settings = cluster.topicSettings(topic);
      await this.#looks.next();
      if (!settings.cleanupPolicy.compact) continue;
      for (const found of await this.#lookAtTopic(topic, settings)) {
        dirtyRatioMax = Math.max(dirtyRatioMax, found.cleanable.dirtyRatio);
        if (found.cleanable.isDue) due.push(found);
      }
    }
    const present = new Set(topics.map(({ id }) => id));
    for (const id of this.#idle.keys()) if (!present.has(id)) this.#idle.delete(id);
    const uncleanable = hot.size + cold.size;
    this.#metrics.seen({ waiting: due.length, uncleanable, dirtyRatioMax });
    return due;
  }

  async #lookAtTopic(topic: Topic, settings: TopicSettings): Promise<readonly Due[]> {
    const found: Due[] = [];
    const { clock, partitions } = this.#deps;
    const nowMs = clock.monotonicMs();
    const known = this.#idle.get(topic.id);
    const looksAtIdle = known?.settings !== settings || known.nextLookMs <= nowMs;
    for (let partition = 0; partition < topic.partitionCount; partition++) {
      await this.#looks.next();
      if (this.#isClosed) return [];
      const at = { topicId: topic.id, partition };
      await this.#tryTo(async () => {
        const loaded = partitions.find(topic.id, partition);
        const looks = looksAtIdle && partitions.isOurs(topic.id, partition);
        const owner = loaded ?? (looks ? await this.#openIfDue(at, settings) : undefined);
        if (owner !== undefined) found.push(...(await this.#lookAt(owner)));
      });
    }
    if (looksAtIdle) {
      // Only time makes a partition due that nobody writes to.
      const agesMs =
        settings.maxCompactionLagMs < clock.wallMs() ? this.#limits.idleLookMs : Infinity;
      this.#idle.set(topic.id, { settings, nextLookMs: nowMs + agesMs });
    }
    return found;
  }

  async #openIfDue(
    at: { readonly topicId: TopicId; readonly partition: number },
    settings: TopicSettings,
  ): Promise<PartitionOwner | undefined> {
    const { clock, disk, partitions, tools } = this.#deps;
    const { partition, topicId } = at;
    const nowMs = clock.wallMs();
    const isHotDue = isIdleRoundDue({ disk, ...tools }, at, settings, nowMs);
    if (isHotDue) return partitions.open(topicId, partition);
    const parts = await partitions.coldParts(topicId, partition);
    const when = { nowMs, dirtyBytesMin: this.#limits.coldDirtyBytesMin };
    const isColdDue = isIdleColdRoundDue(parts, settings, when);
    return isColdDue ? partitions.open(topicId, partition) : undefined;
  }

  /** What of either tier may be cleaned. */
  async #lookAt(owner: PartitionOwner): Promise<readonly Due[]> {
    const found: Due[] = [];
    await this.#tryTo(async () => {
      const hot = this.#isUsable(owner, "hot") ? this.#cleanableOf(owner) : undefined;
      if (hot !== undefined) found.push({ owner, tier: "hot", cleanable: hot });
    });
    await this.#tryTo(async () => {
      const cold = this.#isUsable(owner, "cold") ? await this.#cold.look(owner) : undefined;
      if (cold !== undefined) found.push({ owner, tier: "cold", cleanable: cold });
    });
    return found;
  }

  #isUsable(owner: PartitionOwner, tier: "hot" | "cold"): boolean {
    const isThere = !owner.isOver && !owner.log.compaction.isClosed;
    return isThere && owner.settings.cleanupPolicy.compact && !this.#uncleanable[tier].has(owner);
  }

  /** Throws a DiskError. */
  #cleanableOf(owner: PartitionOwner): Cleanable | undefined {
    const { clock, partitions } = this.#deps;
    const settled = this.#settled.get(owner) ?? new SettledOffset();
    this.#settled.set(owner, settled);
    const { compaction, logStartOffset } = owner.log;
    const log = {
      segments: compaction.segments(),
      logStartOffset,
      cleanedTo: compaction.cleanedTo,
      lastStableOffset: owner.lastStableOffset,
      settledOffset: settled.look(owner, partitions.journal),
    };
    return cleanable(log, owner.settings, clock.wallMs());
  }

  /** Whether it came to its end. */
  async #round(due: Due): Promise<boolean> {
    const { clock, log } = this.#deps;
    const { owner, tier } = due;
    const { partition, topicId } = owner;
    const beganMs = clock.monotonicMs();
    let outcome: RoundOutcome | ColdRoundOutcome | undefined;
    await this.#tryTo(async () => {
      outcome = await (tier === "hot" ? this.#hotRound(due) : this.#coldRound(due));
    }, due);
    this.#metrics.took(clock.monotonicMs() - beganMs);
    if (outcome?.kind === "cleaned") this.#metrics.cleaned(outcome.removedRecords);
    if (outcome?.kind === "damaged") {
      const { at, reason, segment } = outcome;
      // The object store has it: the next round cleans what is left.
      const repair = segment === undefined ? "refused" : await owner.repairSegment(segment, reason);
      // Or it does not say yet: the round that finds it again asks it again.
      if (repair !== "refused") return false;
      if (segment !== undefined && isGone(owner, segment)) return false;
      // Who took the slot over removes what it has cleaned, too, before this broker hears of it.
      if (!(await this.#isStillOurs(owner)) || owner.tiered?.changes.isUnsettled === true)
        return false;
      this.#uncleanable[tier].add(owner);
      this.#metrics.failed();
      log.error({ topicId, partition, at, reason }, "a log can't be compacted: it is damaged");
    }
    return outcome?.kind === "cleaned";
  }

  /** False also where nobody can say it now. */
  async #isStillOurs({ slot }: PartitionOwner): Promise<boolean> {
    const { isStillOurs } = this.#deps;
    let isOurs = isStillOurs === undefined;
    await this.#tryTo(async () => {
      isOurs ||= (await isStillOurs?.(slot)) === true;
    });
    return isOurs;
  }

  #hotRound({ cleanable, owner }: Due): Promise<RoundOutcome> {
    const { sideWork, tools } = this.#deps;
    const { pieceBytes } = this.#limits;
    const expiresBelow = this.#cold.expiresBelow(owner);
    const order = { ...this.#order(owner, cleanable), expiresBelow };
    // From then on what the round lets expire might be there again.
    const mayNotExpire = (): boolean => this.#cold.expiresBelow(owner) < expiresBelow;
    return new CompactionRound(owner.log, order, {
      ...{ format: tools.format, sideWork, keyMemory: this.#keyMemory, pieceBytes, offsetSpanMax },
      isStopped: () => this.#isClosed || !this.#isUsable(owner, "hot") || mayNotExpire(),
      pass: (bytes) => this.#pass(bytes),
    }).run();
  }

  #coldRound({ cleanable, owner }: Due): Promise<ColdRoundOutcome> {
    const { random, sideWork, tools } = this.#deps;
    return this.#cold.round(owner, this.#order(owner, cleanable), {
      ...{ format: tools.format, sideWork, keyMemory: this.#keyMemory, offsetSpanMax, random },
      isStopped: () => this.#isClosed || !this.#isUsable(owner, "cold"),
      pass: (bytes) => this.#pass(bytes),
    });
  }

  #order(owner: PartitionOwner, cleanable: Cleanable): Omit<RoundOrder, "expiresBelow"> {
    const { clock, cluster, random } = this.#deps;
    const { logCleanerDedupeBufferSize } = cluster.settings;
    return {
      cleanable,
      mapBytesMax: Math.min(this.#limits.mapBytesMax, logCleanerDedupeBufferSize),
      seed: random.bytes(hashSeedBytes),
      nowMs: clock.wallMs(),
      deleteRetentionMs: owner.settings.deleteRetentionMs,
    };
  }

  async #pass(bytes: { readonly read: number; readonly written: number }): Promise<void> {
    const { clock, cluster } = this.#deps;
    this.#metrics.passed(bytes);
    const rate = cluster.settings.logCleanerIoMaxBytesPerSecond;
    if (!this.#isClosed) await this.#throttle.pass(bytes.read + bytes.written, rate);
    await new Promise<void>((resolve) => clock.after(0, resolve));
  }

  /** What is not expected is thrown. `of`: a failure that stays makes it uncleanable. */
  async #tryTo(run: () => Promise<void>, of?: Due): Promise<void> {
    try {
      await run();
    } catch (error) {
      // Deleted, or another owner's, meanwhile: nothing of it is left to do here.
      if (error instanceof UnknownPartitionError || error instanceof FencedError) return;
      if (error instanceof NotLeaderError) return;
      if (error instanceof SideWorkError && error.reason === "closed") return;
      const isOfStore = isStoreError(error);
      if (!isOfStore && !(error instanceof SideWorkError)) throw error;
      this.#metrics.failed();
      const isHot = of !== undefined && error instanceof DiskError;
      if (isHot && (await of.owner.repairHot(error)) !== "refused") return;
      const mayPass = isOfStore ? isRetriable(error) : error.retriable;
      if (of !== undefined && !mayPass) this.#uncleanable[of.tier].add(of.owner);
      this.#deps.log.warn({ err: error }, "compaction could not do a partition");
    }
  }
}

/** Whether the damaged segment went meanwhile, by retention say: the next round does without it. */
function isGone({ log }: PartitionOwner, baseOffset: number): boolean {
  return !log.compaction.segments().some((segment) => segment.baseOffset === baseOffset);
}

function byDirtyRatio(a: Due, b: Due): number {
  return b.cleanable.dirtyRatio - a.cleanable.dirtyRatio;
}
