import { DiskError, PendingProducers, totalBytes } from "@millrace/core";
import type { Slot, TopicId, TopicSettings } from "@millrace/core";
import type { DelayReason } from "../journal/append-journal.ts";
import { AppendQueue, type Decide } from "./append-queue.ts";
import { type AppendRequest, type AppendResult, type Refused, refused } from "./append.ts";
import { type Accepted, appended, decideRecords, notAppended } from "./decide-records.ts";
import { DirtyMark } from "./dirty-mark.ts";
import { Examination } from "./examinations.ts";
import { OwnedEntry } from "./journaled-append.ts";
import type { EntryOwner } from "./journaled-append.ts";
import { logConfigOf } from "./log-config.ts";
import type { OwnerDeps, OwnerStart } from "./owner-deps.ts";
import { PartitionReads } from "./partition-reads.ts";
import { ReplyQueue } from "./reply-queue.ts";
import { deleteBelow, StoredStart } from "./stored-start.ts";
import type { DeleteRecordsOutcome } from "./stored-start.ts";
import { isTiering } from "../tier/tiered-partition.ts";

export type { Isolation } from "./partition-reads.ts";

/**
 * The single writer of one partition.
 *
 * An append is decided and handed over in the turn in which it comes, on the state that earlier
 * appends leave, unless appends have to wait; then it queues behind them. Under `local` the
 * hand-over is the log itself (the partition is on the dirty list before the log's first unsynced
 * byte). Under `journal` it is the journal; once durable there, and only then, the batch goes into
 * the log. So the log's end is the high watermark under both, and nobody reads what may be lost.
 *
 * States: writable → stalled (durable entries found the disk full: they are kept, in order, and
 * tried again; new appends are refused) → writable; any → failed (a sync failed, or the journal:
 * reads go on, appends are refused until a restart); any → closed. A change of
 * `millrace.durability` is a barrier: appends wait, the log is synced up to its end, the journal
 * records the change durably, appends go on under the new policy (ownership rule 18, in one
 * process).
 *
 * Promised: replies to appends that `waitFor` durability leave in the order of the appends, when
 * the high watermark covers what they say. A refusal may come for what is appended nevertheless
 * (full disk, closing): the outcome is then unknown, as Kafka's clients expect of these errors.
 */
export class PartitionOwner extends PartitionReads implements EntryOwner {
  readonly topicId: TopicId;
  readonly partition: number;
  readonly slot: Slot;
  readonly mark: DirtyMark;
  /** Monotonic time of the last append. */
  lastAppendMs = 0;
  readonly #deps: OwnerDeps;
  readonly #start: StoredStart;
  readonly #producers: PendingProducers;
  readonly #queue: AppendQueue;
  readonly #replies = new ReplyQueue<AppendResult>();
  readonly #listeners = new Set<() => void>();
  /** Set while appends wait. */
  #stopRoom: (() => void) | undefined;
  #settings: TopicSettings;
  #policy: TopicSettings["durability"];
  #state: "writable" | "stalled" | "failed" | "closed" = "writable";
  #switching = false;
  #isPaused = false;
  /** Decided and not in the log yet, in order. */
  #pending: OwnedEntry[] = [];
  #pendingEnd: number;
  #unflushedMessages = 0;
  #settled: (() => void)[] = [];

  constructor(start: OwnerStart, deps: OwnerDeps) {
    const { log, openSlot, tiered } = start;
    super({ log, tiered, leaderEpoch: openSlot.epoch }, deps.repairs);
    this.topicId = start.topicId;
    this.partition = start.partition;
    this.slot = start.slot;
    this.#deps = deps;
    this.#start = new StoredStart(start, deps.items);
    this.#settings = start.settings;
    this.#policy = start.settings.durability;
    this.#pendingEnd = start.log.endOffset;
    this.#producers = new PendingProducers(start.log);
    this.mark = new DirtyMark(start, {
      items: deps.items,
      onMarked: () => this.#drain(),
      onFailed: (cause) => {
        deps.warn("the dirty mark could not be written", cause);
        this.#queue.refuseAll(refused("timedOut", "the metadata store did not answer"));
      },
    });
    const { clock, limits } = deps;
    const lateReason = (): "journalFull" | "timedOut" =>
      this.#policy === "journal" && !this.#switching ? "journalFull" : "timedOut";
    this.#queue = new AppendQueue({ clock, limits, lateReason });
  }

  /** See the contract above. Never rejects for what clients, disks or stores do. */
  append(request: AppendRequest): Promise<AppendResult> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return Promise.resolve(refusal);
    const mayGo = this.#queue.length === 0 && this.#isReady(request.records.length);
    const decided = mayGo ? this.#decide(request) : undefined;
    if (decided !== undefined && !(decided instanceof Examination)) return decided;
    this.#stopRoom ??= this.#deps.journal.onRoom(() => this.#drain());
    return this.#queue.add(request, decided);
  }

  /** The policy that replies are held to now. */
  get durability(): TopicSettings["durability"] {
    return this.#policy;
  }

  get settings(): TopicSettings {
    return this.#settings;
  }

  /** Whether what is appended goes into the object store. */
  get isTiering(): boolean {
    return this.tiered !== undefined && isTiering(this.#settings);
  }

  /** Closed, or failed until a restart. */
  get isOver(): boolean {
    return this.#state === "failed" || this.#state === "closed";
  }

  /** Bytes that only the journal has, because the disk had no room for them in the log. */
  get isStalled(): boolean {
    return this.#state === "stalled";
  }

  /** Calls `listener` after the high watermark moved, or the partition closed. */
  onAdvance(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Makes `offset` the first readable one, at most the high watermark, and deletes what it can. */
  async deleteRecordsBefore(offset: number): Promise<DeleteRecordsOutcome> {
    if (offset > this.highWatermark || offset < 0) return { kind: "outOfRange" };
    const { log } = this;
    const start = offset > log.logStartOffset ? await this.#start.raiseTo(offset) : offset;
    if (this.#state !== "closed") deleteBelow(this, start, this.#deps.warn);
    return { kind: "ok", logStartOffset: log.logStartOffset };
  }

  /** Takes over the topic's settings; a change of durability begins its barrier. */
  settingsChanged(settings: TopicSettings): void {
    if (settings === this.#settings) return;
    const wasTiering = this.isTiering;
    this.#settings = settings;
    // To go there with what it has; or what holds the journal until it is there is let go.
    if (wasTiering !== this.isTiering) this.#deps.onTierable(this, 0);
    this.log.config = { ...this.log.config, ...logConfigOf(settings) };
    this.#startSwitch();
  }

  entryDurable(seq: number): void {
    if (this.#state === "closed" || this.#state === "failed") return;
    this.#deps.duties.journaled(this, seq);
    if (this.#state === "writable") this.applyDurable();
  }

  entryDelayed(reason: DelayReason): void {
    this.#replies.failAll(refused(reason));
    this.#queue.refuseAll(refused(reason));
  }

  entryFailed(): void {
    this.fail();
  }

  /** Puts the durable entries into the log, in order. False while the disk has no room for them. */
  applyDurable(): boolean {
    const { clock, duties, warn } = this.#deps;
    for (let next = this.#pending[0]; next?.isDurable === true; next = this.#pending[0]) {
      try {
        if (next.kind === "records") this.log.append(next.parts, next.batches, clock.wallMs());
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        warn("a journaled append could not be written to the log", error);
        this.#state = "stalled";
        this.entryDelayed("diskFull");
        duties.stalled(this);
        return false;
      }
      this.#pending.shift();
      this.#producers.settle(this.log.endOffset);
      this.#advanced(next.kind === "records" ? next.parts : []);
    }
    if (this.#state === "stalled") this.#state = "writable";
    if (this.#pending.length === 0) for (const tell of this.#settled.splice(0)) tell();
    this.#drain();
    return true;
  }

  /** No append is taken any more; a restart recovers. Reads go on. */
  fail(): void {
    if (this.#state === "closed") return;
    this.#state = "failed";
    this.#refuseAll(this.#failure());
  }

  /** Refuses what waits to be decided and what comes; what was decided goes on. */
  pause(): void {
    this.#isPaused = true;
    this.#queue.refuseAll(refused("notLeader"));
  }

  resume(): void {
    this.#isPaused = false;
  }

  /** Refuses what waits and what comes. */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#refuseAll(refused("notLeader"));
    for (const listener of [...this.#listeners]) listener();
  }

  /** Resolves when nothing of the partition is on its way through the journal. */
  settled(): Promise<void> {
    if (this.#pending.length === 0 || this.isOver) return Promise.resolve();
    return new Promise((resolve) => this.#settled.push(resolve));
  }

  #refuseAll(refusal: Refused): void {
    this.#pending = [];
    this.#replies.failAll(refusal);
    this.#queue.refuseAll(refusal);
    for (const tell of this.#settled.splice(0)) tell();
  }

  /** Why nothing is appended any more: another process may serve the partition, or the disk failed. */
  #failure(): Refused {
    return refused(this.#deps.journal.state === "over" ? "notLeader" : "diskFailed");
  }

  #refusal(): Refused | undefined {
    if (this.#isPaused || this.#state === "closed") return refused("notLeader");
    if (this.#state === "failed") return this.#failure();
    if (this.#state === "stalled") return refused("diskFull");
    if (this.#policy === "local" && !this.#switching) return undefined;
    const { state } = this.#deps.journal;
    if (state === "failed" || state === "over") return this.#failure();
    return state === "diskFull" ? refused("diskFull") : undefined;
  }

  /** Whether an append may be decided now; begins what it has to wait for. */
  #isReady(bytes: number): boolean {
    if (this.#switching || this.#state !== "writable") return false;
    if (this.#policy === "journal") return this.#deps.journal.hasRoom(bytes);
    return this.mark.ensure(this.log.recoveryPoint);
  }

  #drain(): void {
    const refusal = this.#refusal();
    if (refusal !== undefined) this.#queue.refuseAll(refusal);
    const decide: Decide = (request, examination) => this.#decide(request, examination);
    this.#queue.drain((bytes) => this.#isReady(bytes), decide);
    if (this.#queue.length > 0) return;
    this.#stopRoom?.();
    this.#stopRoom = undefined;
  }

  /** An examination, if the records take longer to look at than a turn may; then decide again. */
  #decide(request: AppendRequest, before?: Examination): Promise<AppendResult> | Examination {
    const { clock, examinations, wire } = this.#deps;
    const settings = this.#settings;
    const examined = before?.settings === settings ? before.outcome : undefined;
    if (examined !== undefined && "kind" in examined) return Promise.resolve(examined);
    const state = {
      endOffset: this.#pendingEnd,
      leaderEpoch: this.leaderEpoch,
      producers: this.#producers,
      nowMs: clock.wallMs(),
    };
    const decision = decideRecords({ request, examined }, state, settings, wire);
    if (decision.kind === "examine") {
      return examinations.begin(request.records, decision.ask, settings, () => this.#drain());
    }
    if (decision.kind !== "append") {
      return this.#reply(request, notAppended(decision, settings, this.logStartOffset));
    }
    this.lastAppendMs = clock.monotonicMs();
    if (this.#policy === "journal") return this.#handToJournal(request, decision);
    return this.#handToLog(decision);
  }

  /** The reply says something of the partition up to its pending end. */
  #reply(request: AppendRequest, result: AppendResult): Promise<AppendResult> {
    const isShown = request.waitFor === "appended" || this.#pendingEnd <= this.log.endOffset;
    return isShown ? Promise.resolve(result) : this.#replies.add(this.#pendingEnd, result);
  }

  #handToJournal(request: AppendRequest, decision: Accepted): Promise<AppendResult> {
    const { batches, records } = decision;
    const result = appended(decision, this.logStartOffset);
    const { baseOffset, lastOffset } = result;
    const crc = this.#deps.wire.crcOfBatches(records);
    const content = { baseOffset, lastOffset, parts: [records], crc, batches };
    const entry = new OwnedEntry(this, { kind: "records", ...content });
    for (const batch of batches) this.#producers.apply(batch);
    this.#pendingEnd = lastOffset + 1;
    this.#pending.push(entry);
    this.#deps.journal.append(entry);
    return this.#reply(request, result);
  }

  #handToLog(decision: Accepted): Promise<AppendResult> {
    const { clock, duties, warn } = this.#deps;
    const result = appended(decision, this.logStartOffset);
    try {
      this.log.append([decision.records], decision.batches, clock.wallMs());
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      warn("an append could not be written", error);
      this.#pendingEnd = this.log.endOffset;
      return Promise.resolve(refused(error.reason === "full" ? "diskFull" : "diskFailed"));
    }
    this.#pendingEnd = this.log.endOffset;
    duties.wroteLocally(this);
    this.#advanced([decision.records]);
    this.#unflushedMessages += result.lastOffset - result.baseOffset + 1;
    const { flushMessages } = this.#settings;
    if (this.#unflushedMessages < flushMessages) return Promise.resolve(result);
    this.#unflushedMessages = 0;
    return this.#flushed(result);
  }

  /** `flush.messages`: the append that reaches it is answered after the sync, as in Kafka. */
  async #flushed(result: AppendResult): Promise<AppendResult> {
    try {
      await this.log.sync();
      return result;
    } catch (error) {
      return refused(this.#deps.duties.syncFailed(this, error));
    }
  }

  #advanced(parts: readonly Uint8Array[]): void {
    if (this.isTiering) this.#deps.onTierable(this, totalBytes(parts));
    this.#replies.release(this.log.endOffset);
    for (const listener of [...this.#listeners]) listener();
  }

  #startSwitch(): void {
    if (this.#switching || this.isOver) return;
    if (this.#settings.durability === this.#policy) return;
    this.#switching = true;
    void this.#switchPolicy();
  }

  /** The barrier: nothing is decided from its beginning to its end. */
  async #switchPolicy(): Promise<void> {
    const to = this.#settings.durability;
    await this.settled();
    try {
      await this.log.sync();
    } catch (error) {
      if (this.#deps.duties.syncFailed(this, error) === "diskFull") this.#putOffSwitch();
      return;
    }
    if (this.isOver) return;
    const { state } = this.#deps.journal;
    if (state === "failed" || state === "over" || state === "closed") {
      // Without the journal's word a replay would cut what the new policy appends.
      this.fail();
      return;
    }
    await this.#journalPolicy(to === "local" ? "localFrom" : "journalFrom");
    if (this.isOver) return;
    this.#policy = to;
    this.#switching = false;
    this.#startSwitch();
    this.#drain();
  }

  /** The old policy goes on until the disk has room for the barrier. */
  #putOffSwitch(): void {
    this.#switching = false;
    this.#drain();
    const { clock, limits } = this.#deps;
    clock.after(limits.diskRetryMs, () => this.#startSwitch());
  }

  /** Resolves when the change is durable, or the partition is over. */
  #journalPolicy(kind: "localFrom" | "journalFrom"): Promise<void> {
    const baseOffset = this.log.endOffset;
    const place = { baseOffset, lastOffset: baseOffset - 1, parts: [], crc: 0, batches: [] };
    const entry = new OwnedEntry(this, { kind, ...place });
    this.#pending.push(entry);
    this.#deps.journal.append(entry);
    return this.settled();
  }
}
