import {
  changedSince,
  type IncarnationId,
  keys,
  leaderOf,
  type Leadership,
  type LeadershipChange,
  moved,
  reassigned,
  type Receiver,
  type SeenVersion,
  type Slot,
  slotsOf,
} from "@millrace/core";
import {
  changeLeadership,
  type LeadershipAccess,
  type ReadLeadership,
  readLeadershipNow,
} from "./leadership-writes.ts";

export type LeadershipListener = (now: Leadership, before: Leadership) => void;

/**
 * Leadership as one incarnation knows it, by reading it and by its own writes. What it led may go
 * only by its own write, after it released the slots' heads: a slot that somebody else gave away,
 * if only to this very incarnation at another epoch, means that it was taken for dead, and is over.
 */
export class KnownLeadership {
  readonly #access: LeadershipAccess;
  readonly #self: Receiver;
  readonly #onTaken: (slots: readonly Slot[]) => void;
  readonly #listeners = new Set<LeadershipListener>();
  /** Slots for which it wrote, or tried to write, a change of leadership itself. */
  readonly #released = new Set<Slot>();
  #read: ReadLeadership;
  #version = 0;
  #isOver = false;

  constructor(
    access: LeadershipAccess,
    start: {
      readonly self: Receiver;
      readonly read: ReadLeadership;
      /** Called once; nobody is told of this leadership, nor of a later one. */
      readonly onTaken: (slots: readonly Slot[]) => void;
    },
  ) {
    this.#access = access;
    this.#self = start.self;
    this.#read = start.read;
    this.#onTaken = start.onTaken;
  }

  get now(): Leadership {
    return this.#read.leadership;
  }

  /** Why this version cannot read it, if it cannot: by what it knows then, nobody leads anything. */
  get fault(): Error | undefined {
    return this.#read.fault;
  }

  /** Whether this version covers the finalised level, and can read what it would write over. */
  get isWritable(): boolean {
    return this.#access.features.isCompatible && this.fault === undefined;
  }

  /** The version item's version up to which it is known; 0: not looked at yet. */
  get version(): number {
    return this.#version;
  }

  /** Called after each change that is learned. */
  onChange(listener: LeadershipListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Reads it if it may have changed up to the version that was seen. Throws MetadataError. */
  async follow(seen: SeenVersion): Promise<void> {
    if (seen.version === this.#version) return;
    const changed = changedSince(this.#version, seen);
    if (changed === undefined || changed.includes(keys.leadership)) {
      this.#learn(await readLeadershipNow(this.#access, this.now.leaders.length));
    }
    this.#version = seen.version;
  }

  /** Whether anything was written. Throws MetadataError. */
  async write(change: (before: Leadership) => LeadershipChange): Promise<boolean> {
    const before = this.#read;
    const after = await changeLeadership(this.#access, before, change);
    this.#learn(after);
    return after.version !== before.version;
  }

  /** Only what it still leads. Throws MetadataError: it may have happened, and can be repeated. */
  writeMoved(slots: readonly Slot[], to: Receiver): Promise<boolean> {
    for (const slot of slots) this.#released.add(slot);
    const from = this.#self.incarnation;
    return this.write((before) => moved(before, { slots, from, to }));
  }

  /** Only what it still leads, at a new epoch. Throws MetadataError, as `writeMoved`. */
  async writeTakenBack(slots: readonly Slot[]): Promise<boolean> {
    for (const slot of slots) this.#released.add(slot);
    const isChanged = await this.write((before) => reassigned(before, { ...this.#self, slots }));
    for (const slot of slots) this.#released.delete(slot);
    return isChanged;
  }

  /** Who leads the slots now: the incarnation, and whether a newer one of the same broker does. */
  isReplaced(slots: readonly Slot[]): boolean {
    const { brokerId, incarnation } = this.#self;
    return slots.some((slot) => {
      const leader = leaderOf(this.now, slot);
      return leader?.brokerId === brokerId && leader.incarnation !== incarnation;
    });
  }

  /** What was read, or written. An older one tells nothing. */
  #learn(read: ReadLeadership): void {
    const before = this.#read;
    if (read.version <= before.version || this.#isOver) return;
    this.#read = read;
    const [was, is] = [before.leadership, read.leadership];
    const { incarnation } = this.#self;
    const taken = slotsOf(was, incarnation).filter((slot) => this.#isTaken(slot, { was, is }));
    if (taken.length > 0) {
      this.#isOver = true;
      this.#onTaken(taken);
      return;
    }
    for (const slot of this.#released) {
      if (!isLedBy(is, slot, incarnation)) this.#released.delete(slot);
    }
    for (const listener of this.#listeners) listener(is, was);
  }

  #isTaken(
    slot: Slot,
    { was, is }: { readonly was: Leadership; readonly is: Leadership },
  ): boolean {
    return !this.#released.has(slot) && leaderOf(is, slot)?.epoch !== leaderOf(was, slot)?.epoch;
  }
}

function isLedBy(leadership: Leadership, slot: Slot, incarnation: IncarnationId): boolean {
  return leaderOf(leadership, slot)?.incarnation === incarnation;
}
