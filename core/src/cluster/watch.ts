import type { BrokerId, IncarnationId } from "../ids.ts";
import {
  deadAfterMs,
  joinedDeadAfterMs,
  massWaitMs,
  rankMs,
  readGapMsMax,
  stillAfterMs,
} from "./limits.ts";

/**
 * How a broker finds that others are dead (ownership rule 15), by its own monotonic clock alone: a
 * value that each strong read of all heartbeats and each own heartbeat written moves on, and that
 * judges. No clock of another machine is compared, and wall time does not occur.
 *
 * What counts as evidence: a *watch* is a run of successful reads, each begun at most
 * `readGapMsMax` after the one before, and handled at most as long after it was begun. A counter
 * stood still from when the first answer of the watch that showed it was handled to when the last
 * read that showed it was begun. A larger gap, be it a store that failed or this process that was
 * paused, begins a new watch, and nothing from before it counts: whoever wakes up declares nobody
 * dead for `deadAfterMs`.
 */
export interface Watch {
  readonly self: IncarnationId;
  /** When the last read that succeeded was begun. */
  readonly readBegunMs: number | undefined;
  readonly seen: ReadonlyMap<IncarnationId, Seen>;
  /** The run of own writes, each begun at most `readGapMsMax` after the one before. */
  readonly writes: { readonly sinceMs: number; readonly lastMs: number } | undefined;
  /** Since when most members stand still at once, under one watch. */
  readonly massSinceMs: number | undefined;
  /** Declared dead and still listed: their items are not closed yet. */
  readonly declared: ReadonlySet<IncarnationId>;
}

interface Seen {
  readonly counter: number | undefined;
  /** When the first answer of this watch that showed the counter was handled. */
  readonly sinceMs: number;
  /** It was seen to change, and not by one who is alone: the next change comes soon. */
  readonly isQuick: boolean;
}

/** A strong read of all heartbeats that succeeded. */
export interface Reading {
  /** When it was begun: what it found is not older. */
  readonly begunMs: number;
  /** When its answer was handled. */
  readonly nowMs: number;
  /**
   * Every member whose incarnation's item is open; `counter` is undefined before its first
   * heartbeat. One that is not listed any more is not watched any more. `isAlone`, as it says: the
   * counter may be one of a broker that has not seen yet that others have come.
   */
  readonly members: readonly {
    readonly incarnation: IncarnationId;
    readonly counter: number | undefined;
    readonly isAlone?: boolean;
  }[];
}

export function newWatch(self: IncarnationId): Watch {
  return {
    self,
    readBegunMs: undefined,
    seen: new Map(),
    writes: undefined,
    massSinceMs: undefined,
    declared: new Set(),
  };
}

/** A read that failed is no event: the time until the next one that succeeds tells. */
export function sawHeartbeats(before: Watch, reading: Reading): Watch {
  const { begunMs, nowMs, members } = reading;
  const last = before.readBegunMs;
  // An answer that was overtaken by a later read's tells nothing new.
  if (last !== undefined && begunMs <= last) return before;
  const isSoon = nowMs - begunMs <= readGapMsMax;
  const isSameWatch = isSoon && last !== undefined && begunMs - last <= readGapMsMax;
  const seen = new Map<IncarnationId, Seen>();
  const declared = new Set<IncarnationId>();
  for (const { incarnation, counter, isAlone = false } of members) {
    const known = before.seen.get(incarnation);
    const hasChanged = known !== undefined && known.counter !== counter;
    const isQuick = !isAlone && known !== undefined && (known.isQuick || hasChanged);
    const sinceMs = isSameWatch && known !== undefined && !hasChanged ? known.sinceMs : nowMs;
    seen.set(incarnation, { counter, sinceMs, isQuick });
    if (before.declared.has(incarnation) && !hasChanged) declared.add(incarnation);
  }
  const after: Watch = { ...before, readBegunMs: begunMs, seen, declared };
  return { ...after, massSinceMs: isMass(after) ? (before.massSinceMs ?? begunMs) : undefined };
}

/** An own heartbeat was written; `begunMs` is when that write was begun. */
export function wroteHeartbeat(before: Watch, begunMs: number): Watch {
  const { writes } = before;
  if (writes !== undefined && begunMs <= writes.lastMs) return before;
  const isSameRun = writes !== undefined && begunMs - writes.lastMs <= readGapMsMax;
  return {
    ...before,
    writes: { sinceMs: isSameRun ? writes.sinceMs : begunMs, lastMs: begunMs },
  };
}

/** Its slots were given to others, or are about to be: it counts no more among the members. */
export function declaredDead(before: Watch, dead: Iterable<IncarnationId>): Watch {
  return { ...before, declared: new Set([...before.declared, ...dead]) };
}

/** How long who was seen so has to stand still to be dead. */
export function deadAfter({ isQuick }: Seen): number {
  return isQuick ? deadAfterMs : joinedDeadAfterMs;
}

/** How long a member stood still under this watch, in ms; 0 for whom is not known. */
export function stillMs(watch: Watch, incarnation: IncarnationId): number {
  const seen = watch.seen.get(incarnation);
  if (seen === undefined || watch.readBegunMs === undefined) return 0;
  return Math.max(0, watch.readBegunMs - seen.sinceMs);
}

/**
 * Who is dead, whoever acts on it, as of the last read: to be asked in the turn that handled it. While most members stand still at once, which rather tells of a
 * store, a network or a machine that stood still, nobody is, until this broker's own reads and
 * writes have succeeded for `massWaitMs` more; fences make it safe to go on then.
 */
export function deadMembers(watch: Watch): readonly IncarnationId[] {
  return deadFor(watch, 0);
}

/**
 * The dead on which this broker is to act now. The controller acts at once, the others one after
 * another, each a `rankMs` later.
 */
export function deadToActOn(watch: Watch, rank: number): readonly IncarnationId[] {
  return deadFor(watch, rank * rankMs);
}

/** An open member, for the order in which members act. */
export interface Ranked {
  readonly brokerId: BrokerId;
  readonly incarnation: IncarnationId;
  readonly isDraining: boolean;
}

/**
 * How many act before this broker: the controller first, if it is alive, then by broker id, those
 * who leave last. `members`: the open ones, this broker among them.
 */
export function rankOf(
  watch: Watch,
  controller: IncarnationId | undefined,
  members: readonly Ranked[],
): number {
  const dead = new Set([...deadMembers(watch), ...watch.declared]);
  const alive = members.filter(({ incarnation }) => !dead.has(incarnation));
  const place = (one: Ranked): number => {
    if (one.incarnation === controller) return 0;
    return one.isDraining ? 2 : 1;
  };
  const order = alive.toSorted((a, b) => place(a) - place(b) || a.brokerId - b.brokerId);
  const rank = order.findIndex(({ incarnation }) => incarnation === watch.self);
  return rank === -1 ? order.length : rank;
}

function deadFor(watch: Watch, moreMs: number): readonly IncarnationId[] {
  const still = [...watch.seen.keys()].filter((one) => {
    const seen = watch.seen.get(one);
    if (seen === undefined || one === watch.self) return false;
    return stillMs(watch, one) >= deadAfter(seen) + moreMs;
  });
  const isWaiting = watch.massSinceMs !== undefined && massWaitedMs(watch) < massWaitMs + moreMs;
  return isWaiting ? [] : still.filter((one) => !watch.declared.has(one));
}

/** Time under watch since most stand still, in which the own writes succeeded too. */
function massWaitedMs({ massSinceMs, readBegunMs, writes }: Watch): number {
  if (massSinceMs === undefined || readBegunMs === undefined || writes === undefined) return 0;
  const isWriting = readBegunMs - writes.lastMs <= readGapMsMax;
  return isWriting ? readBegunMs - Math.max(massSinceMs, writes.sinceMs) : 0;
}

/** More than half of the members, at least two, stand still at once, and one of them long enough. */
function isMass(watch: Watch): boolean {
  let members = 1;
  let still = 0;
  let isOneDead = false;
  for (const one of watch.seen.keys()) {
    if (one === watch.self || watch.declared.has(one)) continue;
    members += 1;
    const ms = stillMs(watch, one);
    if (ms >= stillAfterMs) still += 1;
    isOneDead ||= ms >= deadAfterMs;
  }
  return isOneDead && still >= 2 && still * 2 > members;
}
