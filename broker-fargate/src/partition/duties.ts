import { DiskError, MetadataError, inLanes } from "@millrace/core";
import type { Clock, Timer } from "@millrace/core";
import type { AppendJournal } from "../journal/append-journal.ts";
import type { PartitionLimits } from "./limits.ts";
import type { PartitionOwner } from "./owner.ts";
import { TrimHolds } from "../journal/trim-holds.ts";

export interface DutiesDeps {
  readonly clock: Clock;
  readonly limits: PartitionLimits;
  readonly journal: AppendJournal;
  /** `producer.id.expiration.ms`: producers silent for so long are forgotten, at idle times. */
  readonly producerIdExpirationMs: number;
  readonly warn: (what: string, cause: unknown) => void;
  /** A sync of a partition's log failed; its owner takes no more appends. */
  readonly onSyncFailed: (cause: unknown) => void;
}

/**
 * What goes on behind the appends, for all partitions together: dirty `local` partitions are synced
 * when they are idle, by `flush.ms`, and now and then; journaled ones are synced oldest first when
 * the journal has grown or aged, and the journal's trim follows; stalled ones are tried again.
 *
 * One timer for the process, and none while nothing is dirty: an idle broker does nothing.
 */
export class Duties {
  readonly #deps: DutiesDeps;
  /** `local` partitions with unsynced bytes, by when the first of them was written. */
  readonly #local = new Map<PartitionOwner, number>();
  /** Partitions with journaled entries that no sync has covered. */
  readonly #unsynced = new TrimHolds<PartitionOwner>();
  /** Those with journaled entries that the object store has not, where it is to have them. */
  readonly #untiered = new TrimHolds<PartitionOwner>();
  readonly #stalled = new Set<PartitionOwner>();
  #timer: { readonly timer: Timer; readonly dueMs: number } | undefined;
  #running: Promise<void> | undefined;
  #closed = false;
  #lastJournaledMs = 0;
  /** The disk was full: nothing is tried again before. */
  #pausedUntilMs = 0;

  constructor(deps: DutiesDeps) {
    this.#deps = deps;
  }

  /** Partitions that something is to be done for. */
  get dirtyPartitions(): number {
    return this.#local.size + this.#unsynced.size;
  }

  wroteLocally(owner: PartitionOwner): void {
    const nowMs = this.#deps.clock.monotonicMs();
    if (!this.#local.has(owner)) this.#local.set(owner, nowMs);
    const { idleSyncMs } = this.#deps.limits;
    this.#arm(nowMs + Math.min(idleSyncMs, owner.settings.flushMs));
  }

  journaled(owner: PartitionOwner, seq: number): void {
    this.#unsynced.add(owner, seq);
    if (owner.isTiering) this.#untiered.add(owner, seq);
    const { clock, journal, limits } = this.#deps;
    const nowMs = clock.monotonicMs();
    this.#lastJournaledMs = nowMs;
    const overdue = journal.untrimmedBytes >= journal.trimDueBytes;
    this.#arm(nowMs + (overdue ? 0 : limits.journalTrimAgeMs));
  }

  /** What the owner's log holds is on its way into the object store. */
  beginTiering(owner: PartitionOwner): void {
    // While the disk is full, the log lacks entries that are counted already.
    if (!owner.isStalled) this.#untiered.begin(owner);
  }

  /** It is there, or the topic is not to be there any more. */
  tiered(owner: PartitionOwner): void {
    this.#untiered.end(owner);
    if (!owner.isTiering) this.#untiered.forget(owner);
  }

  stalled(owner: PartitionOwner): void {
    this.#stalled.add(owner);
    this.#arm(this.#deps.clock.monotonicMs() + this.#deps.limits.diskRetryMs);
  }

  /**
   * What a sync's failure means. A full disk: nothing is durable yet, and a later try may do (the
   * log itself refuses one that would prove nothing). Anything else: the owner takes no more
   * appends.
   */
  syncFailed(owner: PartitionOwner, cause: unknown): "diskFull" | "diskFailed" {
    const { clock, limits, onSyncFailed, warn } = this.#deps;
    if (!(cause instanceof DiskError)) throw cause;
    if (cause.reason === "full") {
      warn("a partition could not be synced", cause);
      this.#pausedUntilMs = clock.monotonicMs() + limits.diskRetryMs;
      return "diskFull";
    }
    owner.fail();
    onSyncFailed(cause);
    return "diskFailed";
  }

  /** The partition is gone: nothing of it holds the trim. */
  forget(owner: PartitionOwner): void {
    this.#local.delete(owner);
    this.#unsynced.forget(owner);
    this.#untiered.forget(owner);
    this.#stalled.delete(owner);
  }

  /** Nothing is done any more. */
  abandon(): void {
    this.#closed = true;
    this.#timer?.timer.cancel();
  }

  /** Syncs everything and trims the journal as far as that goes. For the end. */
  async finish(): Promise<void> {
    this.#closed = true;
    this.#timer?.timer.cancel();
    await this.#running;
    for (const owner of this.#stalled) owner.applyDurable();
    await this.#syncMany([...this.#local.keys()], (owner) => this.#syncLocal(owner, "settle"));
    await this.#syncMany(this.#unsynced.owners(), (owner) => this.#syncJournaled(owner));
    await this.#trim();
  }

  #arm(dueMs: number): void {
    if (this.#closed || this.#running !== undefined) return;
    const { clock, limits } = this.#deps;
    const nowMs = clock.monotonicMs();
    const delayMs = Math.max(limits.dutyPauseMs, dueMs - nowMs, this.#pausedUntilMs - nowMs);
    // A timer that comes soon enough stays, or steady load would put it off for ever.
    if (this.#timer !== undefined && this.#timer.dueMs <= nowMs + delayMs) return;
    this.#timer?.timer.cancel();
    const timer = clock.after(delayMs, () => {
      this.#timer = undefined;
      this.#running = this.#run().finally(() => {
        this.#running = undefined;
        this.#armNext();
      });
    });
    this.#timer = { timer, dueMs: nowMs + delayMs };
  }

  async #run(): Promise<void> {
    for (const owner of [...this.#stalled]) {
      if (!owner.applyDurable()) break;
      this.#stalled.delete(owner);
    }
    const nowMs = this.#deps.clock.monotonicMs();
    const due = [...this.#local.keys()].filter((owner) => this.#localDueMs(owner) <= nowMs);
    await this.#syncMany(due, (owner) => this.#syncLocal(owner, this.#isIdle(owner, nowMs)));
    await this.#trimDue(nowMs);
  }

  /** The earliest duty that is left, if any. */
  #armNext(): void {
    const { clock, journal, limits } = this.#deps;
    let dueMs = Number.POSITIVE_INFINITY;
    for (const owner of this.#local.keys()) dueMs = Math.min(dueMs, this.#localDueMs(owner));
    if (this.#stalled.size > 0) dueMs = Math.min(dueMs, clock.monotonicMs() + limits.diskRetryMs);
    const oldestMs = journal.oldestUntrimmedMs;
    if (oldestMs !== undefined) {
      const isOverfull = journal.untrimmedBytes >= journal.trimDueBytes;
      dueMs = Math.min(
        dueMs,
        isOverfull ? clock.monotonicMs() : oldestMs + limits.journalTrimAgeMs,
      );
    } else if (journal.allocatedBytes > 0) {
      dueMs = Math.min(dueMs, this.#lastJournaledMs + 2 * limits.journalTrimAgeMs);
    }
    if (dueMs < Number.POSITIVE_INFINITY) this.#arm(dueMs);
  }

  #localDueMs(owner: PartitionOwner): number {
    const sinceMs = this.#local.get(owner) ?? 0;
    const { dirtySyncMs, idleSyncMs } = this.#deps.limits;
    const flushDueMs = sinceMs + Math.min(dirtySyncMs, owner.settings.flushMs);
    return Math.min(owner.lastAppendMs + idleSyncMs, flushDueMs);
  }

  #isIdle(owner: PartitionOwner, nowMs: number): "settle" | "goOn" {
    return owner.lastAppendMs + this.#deps.limits.idleSyncMs <= nowMs ? "settle" : "goOn";
  }

  async #syncLocal(owner: PartitionOwner, then: "settle" | "goOn"): Promise<void> {
    this.#local.delete(owner);
    if (owner.isOver) return;
    if (then === "settle") this.#settle(owner);
    const end = owner.log.endOffset;
    const outcome = await this.#sync(owner);
    if (outcome === "diskFull") this.#local.set(owner, this.#deps.clock.monotonicMs());
    if (outcome !== "synced") return;
    const isStill = owner.log.endOffset === end && !this.#local.has(owner);
    // What is journaled needs no mark: a replay writes it again, whatever became of the log.
    const needsNone = owner.durability === "journal" || (isStill && then === "settle");
    try {
      if (needsNone) await owner.mark.remove();
      else await owner.mark.move(owner.log.recoveryPoint);
    } catch (error) {
      if (!(error instanceof MetadataError)) throw error;
      // An old mark stays: the next start checks more of the log than it had to.
      this.#deps.warn("a dirty mark could not be changed", error);
    }
    if (isStill && owner.mark.isMarked) this.#local.set(owner, this.#deps.clock.monotonicMs());
  }

  /** Saves work at the next start; that there is no room for it harms nothing. */
  #settle(owner: PartitionOwner): void {
    const { clock, producerIdExpirationMs } = this.#deps;
    owner.log.producers.expire(clock.wallMs(), producerIdExpirationMs);
    try {
      owner.log.settle();
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#deps.warn("a partition's snapshot could not be written", error);
    }
  }

  async #syncJournaled(owner: PartitionOwner): Promise<void> {
    if (owner.isStalled || owner.isOver || !this.#unsynced.begin(owner)) return;
    // Otherwise the seq stays, and with it the journal, until a sync succeeds or a replay does.
    if ((await this.#sync(owner)) === "synced") this.#unsynced.end(owner);
  }

  async #sync(owner: PartitionOwner): Promise<"synced" | "diskFull" | "diskFailed"> {
    try {
      await owner.log.sync();
      return "synced";
    } catch (error) {
      return this.syncFailed(owner, error);
    }
  }

  async #trimDue(nowMs: number): Promise<void> {
    const { journal, limits } = this.#deps;
    const oldestMs = journal.oldestUntrimmedMs;
    if (oldestMs === undefined) {
      // Long unused: a small file's worth of appends a day should not hold a preallocated file.
      if (this.#lastJournaledMs + 2 * limits.journalTrimAgeMs > nowMs) return;
      try {
        journal.retireFiles();
      } catch (error) {
        this.#leaveFiles(error);
      }
      return;
    }
    const isOld = oldestMs + limits.journalTrimAgeMs <= nowMs;
    if (!isOld && journal.untrimmedBytes < journal.trimDueBytes) return;
    // What is dirty now, oldest first; what comes meanwhile waits for the next round.
    await this.#syncMany(this.#unsynced.owners(), (owner) => this.#syncJournaled(owner));
    await this.#trim();
  }

  /** Moves the trim up to the oldest entry that is in no synced segment, or not where it belongs. */
  async #trim(): Promise<void> {
    const { journal, warn } = this.#deps;
    const held = Math.min(this.#unsynced.oldestSeq(), this.#untiered.oldestSeq());
    const trim = Math.min(journal.durableSeq, held);
    try {
      await journal.advanceTrim(trim);
    } catch (error) {
      if (error instanceof MetadataError) warn("the journal's trim could not be recorded", error);
      else this.#leaveFiles(error);
    }
  }

  /** Files that nobody needs take space, and nothing else: they are tried again. */
  #leaveFiles(error: unknown): void {
    if (!(error instanceof DiskError)) throw error;
    const { clock, limits } = this.#deps;
    this.#pausedUntilMs = clock.monotonicMs() + limits.diskRetryMs;
    this.#deps.warn("files that the journal needs no more could not be moved or deleted", error);
  }

  #syncMany(
    owners: readonly PartitionOwner[],
    sync: (owner: PartitionOwner) => Promise<void>,
  ): Promise<void> {
    return inLanes(owners, this.#deps.limits.syncsInFlightMax, sync);
  }
}
