/**
 * A consumer without its types: which partitions it has, what it hands out of them, and what it
 * commits. Partitions come from the group, or, without one, are all that the topics have.
 *
 * Commits are at-least-once: an offset is committed when every message before it is processed.
 * Whoever takes a message calls `processed`, or `giveUp`, for it.
 */
import { ClusterView } from "../cluster/cluster-view.ts";
import { argumentError, closedError, MillraceError } from "../errors.ts";
import {
  commitRetryMsMax,
  connectTimeoutMsDefault,
  groupRequestTimeoutMsMax,
  partitionStreakMax,
  timerMsMax,
  turnMessagesMax,
} from "../limits.ts";
import { type Abortable, afterThisTurn, later, retrying, sleep, withSignal } from "../timing.ts";
import type { PartitionOffset, TopicPartition } from "../transport/described.ts";
import type { GroupIdentity, OpenTransport, Transport } from "../transport/transport.ts";
import { AllPartitions } from "./all-partitions.ts";
import { AssignedPartition, type InHand } from "./assigned-partition.ts";
import { ignoreMembership, isMembership, isPassing, notHeld } from "./commit-failures.ts";
import { Fetcher } from "./fetcher.ts";
import { GroupMember } from "./group-member.ts";
import { callFor } from "./on-behalf.ts";
import type { ConsumerSettings, Position, RebalanceEvent } from "./options.ts";
import { covers, Wishes } from "./wishes.ts";

type Phase = "new" | "running" | "stopping" | "stopped";

export class ConsumerCore {
  readonly #settings: ConsumerSettings;
  readonly #records: Transport;
  readonly #group: Transport;
  /** A join is answered when the group is complete: nothing else may wait behind it. */
  readonly #joining: Transport;
  readonly #view: ClusterView;
  readonly #fetcher: Fetcher;
  readonly #member: GroupMember | undefined;
  /** In place of a group. */
  readonly #all: AllPartitions;
  readonly #wishes = new Wishes();
  readonly #arrivals: (() => void)[] = [];
  #assigned: readonly AssignedPartition[] = [];
  /** Not this consumer's any more, but handlers have messages of them in hand. */
  #left: readonly AssignedPartition[] = [];
  #turn = 0;
  /** Messages of the partition whose turn it is, one after another. */
  #streak = 0;
  /** Messages since the event loop had a turn for sure. */
  #handedOut = 0;
  #turnEnds = false;
  #waitsForHands = false;
  #phase: Phase = "new";
  #failure: MillraceError | undefined;
  #membership: Promise<void> = Promise.resolve();
  #stopping: Promise<void> | undefined;
  #cancelCommit: (() => void) | undefined;
  #committing: Promise<void> = Promise.resolve();
  /** Called whenever there may be something to hand out, or nothing ever again. */
  onChange: () => void = () => undefined;

  /** For whom handlers are called. */
  readonly consumer: object;
  readonly #onStopped: () => void;

  constructor(
    openTransport: OpenTransport,
    settings: ConsumerSettings,
    { consumer, onStopped }: { readonly consumer: object; readonly onStopped: () => void },
  ) {
    this.consumer = consumer;
    this.#onStopped = onStopped;
    this.#settings = settings;
    this.#records = openTransport();
    this.#group = openTransport({ requestTimeoutMs: groupRequestTimeoutMsMax });
    const requestTimeoutMs = Math.min(
      settings.rebalanceTimeoutMs + connectTimeoutMsDefault,
      timerMsMax,
    );
    this.#joining = openTransport({ requestTimeoutMs });
    this.#view = new ClusterView(this.#records, { autoCreate: false });
    this.#fetcher = new Fetcher({
      ...{ transport: this.#records, groups: this.#group.groups, view: this.#view, settings },
      assigned: () => this.#assigned,
      arrived: () => this.#changed(),
      fail: (error) => this.#fail(error),
    });
    const { group, topics } = settings;
    this.#all = new AllPartitions({
      ...{ view: this.#view, topics },
      assigned: (partitions) => this.#assign(partitions),
      added: (partitions) => this.#add(partitions),
    });
    if (group === undefined) return;
    this.#member = new GroupMember({
      ...{ joining: this.#joining.groups, groups: this.#group.groups, view: this.#view },
      settings: { ...settings, group },
      assigned: (partitions) => this.#assign(partitions),
      revoked: () => this.#giveBack(),
      lost: () => this.#lose(),
    });
  }

  get settings(): ConsumerSettings {
    return this.#settings;
  }

  get assigned(): readonly AssignedPartition[] {
    return this.#assigned;
  }

  get failure(): MillraceError | undefined {
    return this.#failure;
  }

  get #commitsItself(): boolean {
    return this.#settings.autoCommit && this.#member !== undefined;
  }

  get isOver(): boolean {
    return this.#phase === "stopping" || this.#phase === "stopped";
  }

  /**
   * Begins to read. Handlers are waited for at the end; the body of a loop is not, because it may be
   * what asks for the end.
   */
  start(use: "iteration" | "handler"): void {
    if (this.#phase !== "new") return;
    this.#waitsForHands = use === "handler";
    this.#phase = "running";
    this.#membership = (this.#member ?? this.#all).run().catch((error: unknown) => {
      const isOurs = error instanceof MillraceError;
      this.#fail(isOurs ? error : argumentError("onRebalance threw", error));
    });
    this.#scheduleCommit();
  }

  /** Waits for the next message; undefined when there will be none. Rejects where it failed. */
  async taken(): Promise<InHand | undefined> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.isOver) return undefined;
      const taken = this.take();
      if (taken !== undefined) return taken;
      await new Promise<void>((resolve) => this.#arrivals.push(resolve));
    }
  }

  /** The next message of any partition in turn; undefined where there is none now. */
  take(): InHand | undefined {
    const { length } = this.#assigned;
    if (this.#failure !== undefined || this.isOver || !this.#mayHandOut()) return undefined;
    for (let step = 0; step < length; step += 1) {
      const partition = this.#assigned[(this.#turn + step) % length];
      const taken = partition?.take();
      if (taken === undefined) continue;
      this.#handedOut += 1;
      // Stays with a partition for a while, as its records lie together; but one that never ends
      // must not keep the others waiting.
      this.#streak = step === 0 ? this.#streak + 1 : 1;
      const goesOn = this.#streak < partitionStreakMax;
      this.#turn = (this.#turn + step + (goesOn ? 0 : 1)) % length;
      if (!goesOn) this.#streak = 0;
      this.#fetcher.wake();
      return taken;
    }
    return undefined;
  }

  /** The next message of one partition; undefined where there is none now. */
  takeOf(partition: AssignedPartition): InHand | undefined {
    if (!this.#mayHandOut()) return undefined;
    const taken = partition.take();
    if (taken !== undefined) this.#handedOut += 1;
    return taken;
  }

  /**
   * A loop over what is fetched, or handlers that wait for nothing, would never let the event loop
   * go on before all of it is processed. Whoever is held back hears of it as of a change.
   */
  #mayHandOut(): boolean {
    if (this.#handedOut < turnMessagesMax) return true;
    if (!this.#turnEnds) {
      this.#turnEnds = true;
      afterThisTurn(() => {
        this.#turnEnds = false;
        this.#handedOut = 0;
        this.#changed();
      });
    }
    return false;
  }

  processed(message: InHand): void {
    message.from.processed(message);
    this.#fetcher.wake();
  }

  /**
   * Between two assignments it counts for the next. What is given back, or stopped, is not read any more,
   * but what is in hand of it must not be committed: who seeks back to it wants it again.
   */
  seek(position: Position, at: Partial<TopicPartition> = {}): void {
    const isBetween = this.#assigned.every(({ revoked }) => revoked);
    if (isBetween) this.#wishes.seek(position, at);
    for (const partition of this.#matching(at)) partition.seek(position);
    this.#fetcher.wake();
  }

  setPaused(paused: "paused" | "resumed", at: Partial<TopicPartition> = {}): void {
    const isPaused = paused === "paused";
    this.#wishes.setPaused(isPaused, at);
    for (const partition of this.#matching(at)) partition.paused = isPaused;
    this.#fetcher.wake();
    this.#changed();
  }

  /** Commits these offsets, or everything that is processed. Rejects where any is refused. */
  async commit(offsets?: readonly PartitionOffset[], options: Abortable = {}): Promise<void> {
    if (this.#phase === "stopped") throw closedError("the consumer");
    const committing = this.#committing.then(() => this.#commit(offsets));
    this.#committing = committing.catch(() => undefined);
    await withSignal(committing, options.signal);
  }

  /**
   * Fetches no more, waits for the handlers, commits, and leaves the group. Rejects if the last
   * commit was refused.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    const wasRunning = this.#phase === "running";
    this.#phase = "stopping";
    this.#cancelCommit?.();
    this.#fetcher.stop();
    for (const partition of this.#assigned) partition.revoked = true;
    this.#changed();
    try {
      if (this.#waitsForHands) {
        const held = [...this.#assigned, ...this.#left];
        await Promise.all(held.map((partition) => partition.idle()));
      }
      if (wasRunning && this.#commitsItself && this.#failure === undefined) {
        await this.#commitPatiently();
      }
    } finally {
      this.#member?.stop();
      this.#all.stop();
      await this.#membership;
      // Without it the group waits for the session's end, and no record is lost.
      await this.#member?.leave().catch(() => undefined);
      this.#phase = "stopped";
      this.#onStopped();
      await Promise.all([this.#records.close(), this.#group.close(), this.#joining.close()]);
      this.#changed();
    }
  }

  async #assign(partitions: readonly TopicPartition[]): Promise<void> {
    if (this.isOver) return;
    const isReader = this.#member === undefined;
    const from = isReader ? this.#settings.from : undefined;
    this.#assigned = partitions.map((at) =>
      this.#newPartition(at, this.#wishes.positionOf(at) ?? from),
    );
    this.#wishes.assigned();
    this.#turn = 0;
    this.#fetcher.wake();
    if (!isReader) await this.#tell({ kind: "assigned", partitions });
    this.#changed();
  }

  /** What has come since is read from its beginning: all of it is new. */
  #add(partitions: readonly TopicPartition[]): void {
    const added = partitions.map((at) => this.#newPartition(at, "earliest"));
    this.#assigned = [...this.#assigned, ...added];
    this.#fetcher.wake();
  }

  #newPartition(at: TopicPartition, wanted: Position | undefined): AssignedPartition {
    const partition = new AssignedPartition(at, wanted);
    partition.paused = this.#wishes.isPaused(at);
    return partition;
  }

  async #giveBack(): Promise<void> {
    const given = this.#assigned;
    for (const partition of given) partition.revoked = true;
    this.#changed();
    const waited = new AbortController();
    const idle = Promise.all(given.map((partition) => partition.idle()));
    // Whoever takes longer than the group waits loses the partitions anyway.
    const patience = sleep(this.#settings.rebalanceTimeoutMs / 2, waited.signal);
    await Promise.race([idle, patience]);
    waited.abort();
    patience.catch(() => undefined);
    await this.#tell({ kind: "revoked", partitions: given.map(placeOf) });
    if (this.#commitsItself) await this.#commitPatiently().catch(ignoreMembership);
    this.#letGo(given);
  }

  async #lose(): Promise<void> {
    const gone = this.#assigned;
    for (const partition of gone) partition.revoked = true;
    this.#letGo(gone);
    this.#changed();
    await this.#tell({ kind: "lost", partitions: gone.map(placeOf) });
  }

  #letGo(partitions: readonly AssignedPartition[]): void {
    this.#assigned = [];
    this.#left = [...this.#left, ...partitions].filter(({ inHandCount }) => inHandCount > 0);
    // Nobody reads it any more, and a handler may have its message for long.
    for (const partition of this.#left) partition.forgetFetched();
  }

  async #tell(event: RebalanceEvent): Promise<void> {
    await callFor(this.consumer, this.#settings.onRebalance, event);
  }

  /** Where it fails for good, what was processed comes again. */
  #commitPatiently(): Promise<void> {
    return retrying(() => this.commit(), {
      forMs: commitRetryMsMax,
      retriable: isPassing,
    });
  }

  async #commit(offsets?: readonly PartitionOffset[]): Promise<void> {
    const member: GroupIdentity | undefined = this.#member?.identity;
    if (member === undefined) throw argumentError("a consumer without a group can't commit");
    const due = offsets ?? this.#due();
    if (due.length === 0) return;
    const seeks = new Map(this.#assigned.map((partition) => [partition, partition.seeks]));
    for (const at of due) if (this.#held(at) === undefined) throw notHeld(at);
    const results = await this.#group.groups.commit(member, due);
    for (const { error, ...at } of results) {
      if (error !== undefined) throw error;
      const done = due.find((one) => covers(at, one));
      const held = this.#held(at);
      // After a seek nothing is known of what the group has.
      const isSame = held !== undefined && seeks.get(held) === held.seeks;
      if (done !== undefined && isSame) held.committedTo(done.offset);
    }
  }

  #held(at: TopicPartition): AssignedPartition | undefined {
    return this.#assigned.find((one) => covers(at, one));
  }

  #due(): readonly PartitionOffset[] {
    return this.#assigned.flatMap(({ topic, partition, committable, committed }) =>
      committable === undefined || committable === committed
        ? []
        : [{ topic, partition, offset: committable }],
    );
  }

  #scheduleCommit(): void {
    if (!this.#commitsItself) return;
    this.#cancelCommit = later(this.#settings.autoCommitIntervalMs, () => {
      this.commit()
        .catch((error: unknown) => {
          const refused = error instanceof MillraceError && !error.retriable;
          if (refused && !isMembership(error)) this.#fail(error);
        })
        .finally(() => {
          if (!this.isOver) this.#scheduleCommit();
        });
    });
  }

  #matching(at: Partial<TopicPartition>): readonly AssignedPartition[] {
    return this.#assigned.filter((partition) => covers(at, partition));
  }

  #fail(error: MillraceError): void {
    if (this.isOver) return;
    this.#failure = error;
    this.#changed();
  }

  #changed(): void {
    for (const arrival of this.#arrivals.splice(0)) arrival();
    this.onChange();
  }
}

function placeOf({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition };
}
