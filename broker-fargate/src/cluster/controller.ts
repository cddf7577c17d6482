import {
  calledOff,
  counterOf,
  deadMembers,
  deadToActOn,
  drained,
  type Epoch,
  heartbeatMs,
  type IncarnationId,
  isCompatible,
  type Leadership,
  type LeadershipChange,
  type Load,
  type Move,
  moveMsMax,
  rankMs,
  rankOf,
  type Receiver,
  slotCounts,
  spread,
  takenFrom,
  type Watch,
} from "@millrace/core";
import { firstSpreadMs, loadQuietMs } from "./limits.ts";
import { type HeardMember, newestOf } from "./members.ts";

/** What a broker sees of its cluster after a look, and decides on. */
export interface Sight {
  readonly self: IncarnationId;
  readonly leadership: Leadership;
  /** Incarnations with a larger counter registered after the heartbeats were read. */
  readonly counterMax: number;
  readonly watch: Watch;
  /** Those whose item is open, this broker among them. */
  readonly open: readonly HeardMember[];
  /** The finalised level of `millrace.version`. */
  readonly level: number;
  readonly nowMs: number;
}

/** A change that this broker is to write, and whom it declares dead with it. */
export interface Acts {
  readonly change: (before: Leadership) => LeadershipChange;
  readonly dead: readonly IncarnationId[];
  readonly why: string;
}

/**
 * What a broker does about the others (ownership rule 15): slots of the dead, and those without a
 * leader, are spread over the live, first by the controller, and by the others one after another if
 * it does not; wishes for balance, for those who leave, and taking wishes back are the controller's
 * alone. It decides; whoever calls it writes.
 */
export class Controller {
  readonly #startedMs: number;
  /** Since when slots are seen that nobody alive leads. */
  #homelessSinceMs: number | undefined;
  /** Since when each wish is seen without progress. */
  #wishes = new Map<string, number>();
  /** Until then nothing is wished for balance: somebody could not do what was wished last. */
  #restUntilMs = 0;
  /** The newest epoch that was given, and since when it is seen to be. */
  #newest: { readonly epoch: Epoch; readonly sinceMs: number } | undefined;

  constructor(startedMs: number) {
    this.#startedMs = startedMs;
  }

  /** What to write now, the most urgent first; undefined: nothing. */
  decide(sight: Sight): Acts | undefined {
    const stuck = this.#stuckMoves(sight);
    return this.#takeover(sight) ?? this.#wish(sight, stuck);
  }

  /** When a look may have something to decide before the next regular one; in monotonic ms. */
  nextMs(nowMs: number): number {
    const firstMs = this.#startedMs + firstSpreadMs;
    return nowMs < firstMs ? firstMs : Number.POSITIVE_INFINITY;
  }

  #takeover(sight: Sight): Acts | undefined {
    const { self, leadership, watch, open, nowMs } = sight;
    const live = liveOf(sight);
    const rank = rankOf(
      watch,
      leadership.controller,
      newestOf(open).map((one) => ({ ...one, isDraining: one.heartbeat.isDraining })),
    );
    const declared = deadToActOn(watch, rank);
    const gone = goneOf(sight);
    const isHomeless = leadership.leaders.some((one) => one === undefined || gone(one.incarnation));
    const isWithout = leadership.controller === undefined || gone(leadership.controller);
    this.#homelessSinceMs = isHomeless || isWithout ? (this.#homelessSinceMs ?? nowMs) : undefined;
    const mayGive = nowMs - (this.#homelessSinceMs ?? nowMs) >= rank * rankMs;
    const isTurn = this.#homelessSinceMs !== undefined && mayGive && !this.#isFirstWait(sight);
    if (declared.length === 0 && !isTurn) return undefined;
    const dead = new Set([...declared, ...watch.declared]);
    const isDead = (one: IncarnationId): boolean => dead.has(one) || gone(one);
    const receivers = receiversOf(sight, live);
    const change = (before: Leadership): LeadershipChange => {
      return takenFrom(before, { by: self, isDead, receivers });
    };
    const why = declared.length > 0 ? `dead: ${declared.join(", ")}` : "slots without a leader";
    return { change, dead: declared, why };
  }

  /**
   * Where all brokers start, be the cluster new or not, whoever comes first waits a moment, so that
   * little has to be moved later: each takes back what its former life led, when it registers. Who
   * knows of no other broker does not wait.
   */
  #isFirstWait({ leadership, nowMs, open, self }: Sight): boolean {
    if (nowMs - this.#startedMs >= firstSpreadMs) return false;
    if (leadership.epoch === 0) return true;
    const own = open.find(({ incarnation }) => incarnation === self)?.brokerId;
    const isRunning = open.some(({ heartbeat, incarnation }) => {
      return incarnation !== self && heartbeat.counter * heartbeatMs > firstSpreadMs;
    });
    return !isRunning && leadership.leaders.some((one) => one && one.brokerId !== own);
  }

  #wish(sight: Sight, stuck: ReadonlySet<string>): Acts | undefined {
    const { self, leadership, nowMs } = sight;
    if (leadership.controller !== self) return undefined;
    if (stuck.size > 0) this.#restUntilMs = nowMs + moveMsMax;
    const isResting = nowMs < this.#restUntilMs;
    const live = liveOf(sight);
    const receivers = receiversOf(sight, live);
    const loads = this.#loadsOf(live, sight);
    const isOff = (move: Move): boolean => stuck.has(wishName(move));
    const leaving = live.filter((one) => one.heartbeat.isDraining).map((one) => one.incarnation);
    const change = (before: Leadership): LeadershipChange => {
      if (stuck.size > 0) return calledOff(before, isOff);
      const counts = slotCounts(before);
      const from = leaving.find((one) => (counts.get(one) ?? 0) > 0 && !isWished(before, one));
      if (from !== undefined) return drained(before, { from, receivers });
      return isResting ? "unchanged" : spread(before, { receivers, loads });
    };
    return { change, dead: [], why: stuck.size > 0 ? "moves called off" : "moves wished" };
  }

  /** By heartbeat, once they tell of slots as they are led now: until then of nobody. */
  #loadsOf(
    live: readonly HeardMember[],
    { leadership: { epoch }, nowMs }: Sight,
  ): ReadonlyMap<IncarnationId, Load> {
    if (this.#newest?.epoch !== epoch) this.#newest = { epoch, sinceMs: nowMs };
    if (nowMs - this.#newest.sinceMs < loadQuietMs) return new Map();
    return new Map(live.map(({ incarnation, heartbeat }) => [incarnation, heartbeat.load]));
  }

  #stuckMoves({ leadership, nowMs }: Sight): ReadonlySet<string> {
    const wishes = new Map<string, number>();
    const stuck = new Set<string>();
    for (const move of leadership.moves) {
      const name = wishName(move);
      const sinceMs = this.#wishes.get(name) ?? nowMs;
      wishes.set(name, sinceMs);
      if (nowMs - sinceMs >= moveMsMax) stuck.add(name);
    }
    this.#wishes = wishes;
    return stuck;
  }
}

/** Open, and not seen to stand still for long. */
export function liveOf({ open, watch }: Sight): readonly HeardMember[] {
  const dead = new Set([...deadMembers(watch), ...watch.declared]);
  return newestOf(open).filter(({ incarnation }) => !dead.has(incarnation));
}

/** Seen to be dead, and leading nothing: no takeover closes their journals. */
export function idleDeadOf(sight: Sight): readonly IncarnationId[] {
  const live = new Set(liveOf(sight).map(({ incarnation }) => incarnation));
  const counts = slotCounts(sight.leadership);
  return sight.open
    .map(({ incarnation }) => incarnation)
    .filter((one) => sight.watch.declared.has(one) && !live.has(one) && !counts.has(one));
}

/** Those who may be given slots. */
export function receiversOf(
  { level }: Pick<Sight, "level">,
  live: readonly HeardMember[],
): readonly Receiver[] {
  return live
    .filter((one) => !one.heartbeat.isDraining && isCompatible(one, level))
    .map(({ brokerId, incarnation }) => ({ brokerId, incarnation }));
}

/**
 * Over for certain: no open item with a heartbeat though it had registered by then, or a newer
 * incarnation of the same broker.
 */
function goneOf({ open, counterMax, self }: Sight): (incarnation: IncarnationId) => boolean {
  const newest = new Set(newestOf(open).map((one) => one.incarnation));
  return (one) => one !== self && !newest.has(one) && counterOf(one) <= counterMax;
}

/** One name as long as nothing of it was done. */
function wishName({ from, to, slots }: Move): string {
  return `${from} ${to} ${slots.length}`;
}

function isWished(leadership: Leadership, from: IncarnationId): boolean {
  return leadership.moves.some((move) => move.from === from);
}
