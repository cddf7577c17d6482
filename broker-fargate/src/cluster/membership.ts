import {
  aloneHeartbeatMs,
  declaredDead,
  type Heartbeat,
  heartbeatItem,
  heartbeatMs,
  type IncarnationId,
  keys,
  type Leadership,
  mayAnswer,
  MetadataError,
  newWatch,
  readVersion,
  type Receiver,
  sawHeartbeats,
  type Slot,
  stillAfterMs,
  stillMs,
  type Watch,
  wroteHeartbeat,
} from "@millrace/core";
import {
  type Acts,
  Controller,
  idleDeadOf,
  liveOf,
  receiversOf,
  type Sight,
} from "./controller.ts";
import { KnownLeadership, type LeadershipListener } from "./known-leadership.ts";
import { startLooksForMs } from "./limits.ts";
import { type HeardMember, Members, readHeartbeats } from "./members.ts";
import type {
  HeartbeatSource,
  LateDependencies,
  MembershipDependencies,
  Over,
} from "./membership-deps.ts";
import { MoveLooks } from "./move-looks.ts";
import { nextDeathMs } from "./next-death.ts";
import { type Looks, othersHaveSeen } from "./others-have-seen.ts";
import { Rhythm } from "./rhythm.ts";
import { Tidying } from "./tidy.ts";
import { TurnWatch } from "./turn-watch.ts";

/**
 * A broker as a member of its cluster, for one incarnation: heartbeats, looks at those of the
 * others and at the version item, follows leadership, and acts where it is its turn (ownership
 * rules 9, 15 – 17).
 *
 *     register.ts → start: heartbeat and look, each every 500 ms, alone every 5 s
 *       look: version item and all heartbeats, strongly → leadership if the version moved → the
 *             incarnations' items of those who are new or stand still → Is this incarnation over? →
 *             `Controller` decides → leadership is written, conditionally, decided anew if refused
 *
 * A store that is away is tried again with pauses, for ever. Nothing here decides who owns a slot:
 * heads and fences do. What is over stays over: the process begins a new incarnation.
 */
export class Membership {
  readonly incarnation: IncarnationId;
  #deps: MembershipDependencies;
  readonly #members: Members;
  readonly #controller: Controller;
  readonly #leadership: KnownLeadership;
  readonly #heartbeats: Rhythm;
  readonly #looks: Rhythm;
  readonly #moveLooks = new MoveLooks();
  readonly #lookListeners = new Set<() => void>();
  readonly #endListeners = new Set<() => void>();
  #watch: Watch;
  #counter = 0;
  /** By its last heartbeat: until it says so, whoever comes expects the next one soon. */
  #saidAlone = false;
  readonly #lookCount: Looks = { begun: 0, through: 0 };
  readonly #tidying: Tidying;
  /** When the last look that succeeded began. */
  #readBegunMs: number | undefined;
  readonly #turns: TurnWatch;
  #acting: Promise<void> | undefined;
  #isDraining = false;
  #source: HeartbeatSource = { durable: () => 0, load: () => ({ total: 0, slots: [] }) };
  #state: "running" | "over" | "closed" = "running";

  constructor(deps: MembershipDependencies) {
    this.#deps = deps;
    const { brokerId, clock, registered, store } = deps;
    this.incarnation = registered.incarnation;
    this.#members = new Members(store);
    this.#tidying = new Tidying(() => this.#deps);
    this.#watch = newWatch(this.incarnation);
    this.#turns = new TurnWatch(clock);
    const startedMs = this.#turns.turnedMs;
    this.#controller = new Controller(startedMs);
    this.#leadership = new KnownLeadership(deps, {
      self: { brokerId, incarnation: this.incarnation },
      read: registered,
      onTaken: (slots) => this.#endTaken(slots),
    });
    this.#heartbeats = new Rhythm({
      ...{ ...deps, run: () => this.#heartbeat() },
      everyMs: () => (this.#saidAlone ? this.#everyMs() : heartbeatMs),
      onStore: () => undefined,
    });
    this.#looks = new Rhythm({
      ...{ ...deps, everyMs: () => this.#lookEveryMs(startedMs), run: () => this.#look() },
      onStore: (now, err) => this.#storeIs(now, err),
    });
  }

  /** Heartbeats and looks from now on. Resolves after the first look that succeeds. */
  async start(): Promise<void> {
    this.#turns.begin();
    void this.#heartbeats.now();
    await this.#looks.now();
  }

  get leadership(): Leadership {
    return this.#leadership.now;
  }

  /** As of the last look, or own write: open incarnations that do not stand still, one for each broker, ascending by its id. */
  get live(): readonly HeardMember[] {
    return liveOf(this.#sight(this.leadership.incarnations));
  }

  /** Of the live those that may be given slots: not leaving, and of a version that reads them. */
  get receivers(): readonly Receiver[] {
    const sight = this.#sight(this.leadership.incarnations);
    return receiversOf(sight, liveOf(sight));
  }

  /** Whether it is still a member, by what it knows: after its end, or a close, nothing happens. */
  get isRunning(): boolean {
    return this.#state === "running";
  }

  /** Leadership, topics, configs and features are known up to this version of the version item. */
  get seenVersion(): number {
    return Math.min(this.#leadership.version, this.#deps.followedVersion());
  }

  /** Whether a coordinator may answer from memory (ownership rule 16). */
  get hasEvidence(): boolean {
    if (!this.isRunning) return false;
    const [readBegunMs, turnedMs] = [this.#readBegunMs, this.#turns.turnedMs];
    const evidence = { readBegunMs, turnedMs, isOnlyMember: this.#isOnlyMember };
    return mayAnswer(evidence, this.#deps.clock.monotonicMs());
  }

  /** Since the last look that succeeded began; 0 before the first. */
  get evidenceAgeMs(): number {
    const nowMs = this.#deps.clock.monotonicMs();
    return nowMs - (this.#readBegunMs ?? nowMs);
  }

  /** What heartbeats tell from now on. */
  tell(source: HeartbeatSource): void {
    this.#source = source;
  }

  /** What is known only after the broker was put together; see `MembershipDependencies`. */
  use(late: LateDependencies): void {
    this.#deps = { ...this.#deps, ...late };
  }

  /** Looks now: somebody says that leadership has changed. */
  nudge(): void {
    void this.#looks.now();
  }

  /** Resolves after a look that begins after the call and succeeds, or when everything stops. */
  lookNow(): Promise<void> {
    return this.#looks.now();
  }

  /** Called when leadership as it is known has changed, also by this broker's own writes. */
  onLeadership(listener: LeadershipListener): () => void {
    return this.#leadership.onChange(listener);
  }

  /** Called after every look: other brokers may be live. */
  onLook(listener: () => void): () => void {
    this.#lookListeners.add(listener);
    return () => this.#lookListeners.delete(listener);
  }

  /** Called when it is known that this incarnation is over, before `onOver` is. */
  onEnd(listener: () => void): () => void {
    this.#endListeners.add(listener);
    return () => this.#endListeners.delete(listener);
  }

  /**
   * This broker has released the slots' heads: leadership gives them to `to`. Only what is still
   * its own moves. `refused`: `to` gets none any more; take them back then. Throws MetadataError:
   * it may have happened, and can be repeated.
   */
  async writeMoved(slots: readonly Slot[], to: IncarnationId): Promise<"moved" | "refused"> {
    const receiver = this.receivers.find(({ incarnation }) => incarnation === to);
    if (receiver === undefined) return "refused";
    await this.#leadership.writeMoved(slots, receiver);
    return "moved";
  }

  /** The slots, whose heads this broker released, are its own again, at a new epoch. As above. */
  async writeTakenBack(slots: readonly Slot[]): Promise<void> {
    await this.#leadership.writeTakenBack(slots);
  }

  /** Its slots are to go to the others, and it gets no more. */
  beginDrain(): void {
    this.#isDraining = true;
    void this.#heartbeats.now().then(() => this.nudge());
  }

  /** See `others-have-seen.ts`. Throws MetadataError. */
  othersHaveSeen(): Promise<boolean> {
    const open = (): readonly HeardMember[] => this.#members.open;
    return othersHaveSeen(this, { ...this.#deps, open, looks: this.#lookCount });
  }

  /** Stops, and takes its heartbeat away, so that nobody waits for it. */
  async close(): Promise<void> {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#turns.end();
    await Promise.all([this.#heartbeats.close(), this.#looks.close(), this.#acting]);
    await this.#tidying.close();
    try {
      const key = keys.heartbeat(this.incarnation);
      await this.#deps.store.transact([{ kind: "delete", key }]);
    } catch (error) {
      if (!(error instanceof MetadataError)) throw error;
      const message = "the last heartbeat stays until another broker removes it";
      this.#deps.log.info({ err: error }, message);
    }
  }

  get #isOnlyMember(): boolean {
    return this.#members.open.every(({ incarnation }) => incarnation === this.incarnation);
  }

  #everyMs(): number {
    return this.#isAlone ? aloneHeartbeatMs : heartbeatMs;
  }

  /** Before the first look nobody knows. */
  get #isAlone(): boolean {
    return this.#isOnlyMember && this.#readBegunMs !== undefined;
  }

  /**
   * Others that start, too, are noticed soon. Heartbeats stay seldom: to become so is like dying.
   */
  #lookEveryMs(startedMs: number): number {
    const isStarting = this.#deps.clock.monotonicMs() - startedMs < startLooksForMs;
    return isStarting ? heartbeatMs : this.#everyMs();
  }

  #storeIs(now: "away" | "back", err: MetadataError | undefined): void {
    const { log } = this.#deps;
    if (now === "away") log.warn({ err }, "the metadata store does not answer; it is tried again");
    else log.info({}, "the metadata store answers again");
  }

  async #heartbeat(): Promise<void> {
    const begunMs = this.#deps.clock.monotonicMs();
    this.#saidAlone = this.#isAlone;
    const value = heartbeatItem({
      counter: this.#counter + 1,
      durable: this.#source.durable(),
      load: this.#source.load(),
      seen: this.seenVersion,
      isDraining: this.#isDraining,
      isAlone: this.#saidAlone,
    });
    // A try whose reply was lost may still take effect: the next one has another counter.
    this.#counter += 1;
    const key = keys.heartbeat(this.incarnation);
    await this.#deps.store.transact([{ kind: "put", key, value }]);
    this.#watch = wroteHeartbeat(this.#watch, begunMs);
  }

  async #look(): Promise<void> {
    const { store, clock, onVersion } = this.#deps;
    const counterMax = this.leadership.incarnations;
    this.#lookCount.begun += 1;
    const begunMs = clock.monotonicMs();
    const [item, heartbeats] = await Promise.all([store.get(keys.version), readHeartbeats(store)]);
    const wasAwayMs = begunMs - (this.#readBegunMs ?? begunMs);
    const seen = readVersion(item);
    await this.#leadership.follow(seen);
    if (!this.isRunning) return;
    this.#readBegunMs = begunMs;
    onVersion(seen);
    await this.#learnMembers(heartbeats, { begunMs, wasAwayMs });
    if (!this.isRunning) return;
    this.#lookCount.through = this.#lookCount.begun;
    this.#act(counterMax);
    for (const listener of this.#lookListeners) listener();
    if (this.#moveLooks.isAwaited(this.leadership, this.incarnation)) this.#heartbeats.by(begunMs);
    this.#looks.by(nextDeathMs(this.#watch, this.incarnation));
    this.#looks.by(this.#controller.nextMs(begunMs));
    this.#looks.by(this.#moveLooks.nextMs(this.leadership, begunMs));
  }

  async #learnMembers(
    heartbeats: readonly Heartbeat[],
    { begunMs, wasAwayMs }: { readonly begunMs: number; readonly wasAwayMs: number },
  ): Promise<void> {
    const wasEveryMs = this.#everyMs();
    await this.#members.update(heartbeats, (one) => this.#isSuspect(one, wasAwayMs));
    // Who was alone until now is expected to heartbeat as the others do, from now on.
    if (this.#everyMs() < wasEveryMs) this.#heartbeats.by(begunMs);
    const { open } = this.#members;
    const members = open.map(({ heartbeat }) => heartbeat);
    const nowMs = this.#deps.clock.monotonicMs();
    this.#watch = sawHeartbeats(this.#watch, { begunMs, nowMs, members });
    const isSelf = ({ incarnation }: { incarnation: IncarnationId }): boolean =>
      incarnation === this.incarnation;
    const isOpen = heartbeats.some(isSelf) ? open.some(isSelf) : await this.#isItemOpen();
    if (!isOpen) this.#endClosed();
    const own = open.filter(({ brokerId }) => brokerId === this.#deps.brokerId);
    if ((own.at(-1)?.incarnation ?? this.incarnation) !== this.incarnation) this.#endReplaced();
  }

  /** Their item is read again: it may be closed by now. */
  #isSuspect(one: IncarnationId, wasAwayMs: number): boolean {
    const isAway = one === this.incarnation && wasAwayMs >= this.#everyMs() + stillAfterMs;
    return isAway || this.#watch.declared.has(one) || stillMs(this.#watch, one) >= stillAfterMs;
  }

  async #isItemOpen(): Promise<boolean> {
    const item = await this.#deps.store.get(keys.incarnation(this.incarnation));
    return item?.value["state"] === "open";
  }

  #endTaken(slots: readonly Slot[]): void {
    if (this.#leadership.isReplaced(slots)) return this.#endReplaced();
    const taken = `${slots.length} of its slots were given to others: it was taken for dead`;
    const message = this.#leadership.fault?.message ?? taken;
    this.#end({ reason: "slotsTaken", message });
  }

  #endReplaced(): void {
    const message = `a newer process has its broker id ${this.#deps.brokerId}`;
    this.#end({ reason: "replaced", message });
  }

  #endClosed(): void {
    this.#end({ reason: "closed", message: "its incarnation was closed by another broker" });
  }

  #end(over: Over): void {
    if (!this.isRunning) return;
    this.#state = "over";
    this.#turns.end();
    void this.#heartbeats.close();
    void this.#looks.close();
    for (const listener of this.#endListeners) listener();
    this.#deps.onOver(over);
  }

  #sight(counterMax: number): Sight {
    return {
      self: this.incarnation,
      leadership: this.leadership,
      counterMax,
      watch: this.#watch,
      open: this.#members.open,
      level: this.#deps.features.level,
      nowMs: this.#deps.clock.monotonicMs(),
    };
  }

  /** Beside the looks: a write that is tried again and again must not use up the evidence. */
  #act(counterMax: number): void {
    if (this.#acting !== undefined || !this.#leadership.isWritable) return;
    const sight = this.#sight(counterMax);
    this.#acting = this.#perform(this.#controller.decide(sight), sight)
      .catch((error: unknown) => {
        if (!(error instanceof MetadataError)) throw error;
        this.#deps.log.info({ err: error }, "what is to be done for the cluster is tried again");
      })
      .finally(() => {
        this.#acting = undefined;
      });
  }

  async #perform(acts: Acts | undefined, sight: Sight): Promise<void> {
    if (acts !== undefined) {
      const isChanged = await this.#leadership.write(acts.change);
      this.#watch = declaredDead(this.#watch, acts.dead);
      if (isChanged) this.#deps.log.info({ why: acts.why }, "leadership was changed");
    }
    if (sight.leadership.controller !== this.incarnation) return;
    const { leftOver } = this.#members;
    this.#tidying.begin({ leftOver, dead: idleDeadOf(sight), counterMax: sight.counterMax });
  }
}
