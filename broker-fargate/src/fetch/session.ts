/**
 * Fetch sessions (KIP-227): a client names its partitions once and then only what changed; the
 * answer carries only partitions with something new.
 *
 * A session is `{id, epoch, partitions}`. Its epoch rises with every request, so a lost or repeated
 * request shows. Sessions are a bounded cache: a client whose session is gone is told so and
 * starts over with a full request, so evicting one is never wrong.
 */
import { type Clock, type Random, topicNameCharactersMax } from "@millrace/core";
import type { Uuid } from "@millrace/wire";

/** What a client asked of one partition, and what it was told last. */
export interface FetchPosition {
  readonly topic: string;
  readonly topicId: Uuid;
  readonly partition: number;
  readonly currentLeaderEpoch: number;
  readonly fetchOffset: number;
  readonly lastFetchedEpoch: number;
  readonly maxBytes: number;
}

export interface SessionPartition {
  asked: FetchPosition;
  /** What the last answer said; -1 forces the next one to speak. */
  highWatermark: number;
  logStartOffset: number;
}

export interface Session {
  readonly id: number;
  readonly usesTopicIds: boolean;
  /** In the order in which they are served: whoever got data goes to the end. */
  readonly partitions: Map<string, SessionPartition>;
  epoch: number;
  lastUsedMs: number;
}

export interface SessionLimits {
  readonly sessionsMax: number;
  readonly partitionsMax: number;
  /** A session unused for so long may make room for another. */
  readonly evictAfterMs: number;
}

export interface SessionRequest {
  readonly sessionId: number;
  readonly sessionEpoch: number;
  readonly usesTopicIds: boolean;
  readonly asked: readonly FetchPosition[];
  readonly forgotten: readonly { readonly key: string }[];
}

export type SessionChoice =
  | { readonly kind: "sessionless" }
  | { readonly kind: "full" }
  | { readonly kind: "incremental"; readonly session: Session }
  | { readonly kind: "unknownSession" | "wrongEpoch" | "topicIdsChanged" };

const finalEpoch = -1;
const initialEpoch = 0;
const maxInt32 = 0x7fffffff;

export function positionKey(position: {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
}): string {
  return `${position.partition}/${position.topicId}/${position.topic}`;
}

/** What no topic can be called is not remembered: it may be as long as a request. */
function isNameable({ topic }: FetchPosition): boolean {
  return topic.length <= topicNameCharactersMax;
}

export class FetchSessions {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #limits: SessionLimits;
  /** Least recently used first. */
  readonly #sessions = new Map<number, Session>();
  #partitionCount = 0;

  constructor(deps: {
    readonly clock: Clock;
    readonly random: Random;
    readonly limits: SessionLimits;
  }) {
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#limits = deps.limits;
  }

  get size(): number {
    return this.#sessions.size;
  }

  get partitionCount(): number {
    return this.#partitionCount;
  }

  /** Decides what kind of fetch this is, and takes the request's changes into its session. */
  choose(request: SessionRequest): SessionChoice {
    if (request.sessionEpoch === finalEpoch) {
      this.#remove(request.sessionId);
      return { kind: "sessionless" };
    }
    if (request.sessionEpoch === initialEpoch) {
      this.#remove(request.sessionId);
      return { kind: "full" };
    }
    const session = this.#sessions.get(request.sessionId);
    if (session === undefined) return { kind: "unknownSession" };
    if (session.epoch !== request.sessionEpoch) return { kind: "wrongEpoch" };
    if (session.usesTopicIds !== request.usesTopicIds) return { kind: "topicIdsChanged" };
    if (!this.#mayGrow(session, request)) {
      this.#remove(session.id);
      return { kind: "unknownSession" };
    }
    this.#update(session, request);
    if (session.partitions.size === 0) {
      this.#remove(session.id);
      return { kind: "sessionless" };
    }
    session.epoch = session.epoch === maxInt32 ? 1 : session.epoch + 1;
    session.lastUsedMs = this.#clock.monotonicMs();
    this.#sessions.delete(session.id);
    this.#sessions.set(session.id, session);
    return { kind: "incremental", session };
  }

  /** A session for a full fetch; undefined when there is no room, and the client goes on without. */
  create(
    partitions: readonly SessionPartition[],
    options: { readonly usesTopicIds: boolean },
  ): Session | undefined {
    if (!partitions.every(({ asked }) => isNameable(asked))) return undefined;
    if (!this.#makeRoom(partitions.length)) return undefined;
    const session: Session = {
      id: this.#newId(),
      usesTopicIds: options.usesTopicIds,
      partitions: new Map(partitions.map((entry) => [positionKey(entry.asked), entry])),
      epoch: 1,
      lastUsedMs: this.#clock.monotonicMs(),
    };
    this.#partitionCount += session.partitions.size;
    this.#sessions.set(session.id, session);
    return session;
  }

  /** A session that grew past the bound, request by request, ends instead. */
  #mayGrow(session: Session, { asked, forgotten }: SessionRequest): boolean {
    if (!asked.every(isNameable)) return false;
    const room = this.#limits.partitionsMax - this.#partitionCount;
    // Nearly always: nobody has to know then which of them are new.
    if (asked.length <= room) return true;
    const { partitions } = session;
    const added = new Set(asked.map(positionKey).filter((key) => !partitions.has(key)));
    const gone = new Set(forgotten.map(({ key }) => key).filter((key) => partitions.has(key)));
    return added.size - gone.size <= room;
  }

  #update(session: Session, request: SessionRequest): void {
    const before = session.partitions.size;
    for (const asked of request.asked) {
      const key = positionKey(asked);
      const known = session.partitions.get(key);
      if (known === undefined) {
        session.partitions.set(key, { asked, highWatermark: -1, logStartOffset: -1 });
      } else {
        known.asked = asked;
      }
    }
    for (const { key } of request.forgotten) session.partitions.delete(key);
    this.#partitionCount += session.partitions.size - before;
  }

  #makeRoom(partitionCount: number): boolean {
    const now = this.#clock.monotonicMs();
    for (const session of this.#sessions.values()) {
      if (this.#fits(partitionCount)) return true;
      if (now - session.lastUsedMs < this.#limits.evictAfterMs) return false;
      this.#remove(session.id);
    }
    return this.#fits(partitionCount);
  }

  #fits(partitionCount: number): boolean {
    return (
      this.#sessions.size < this.#limits.sessionsMax &&
      this.#partitionCount + partitionCount <= this.#limits.partitionsMax
    );
  }

  #remove(id: number): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    this.#partitionCount -= session.partitions.size;
    this.#sessions.delete(id);
  }

  #newId(): number {
    for (;;) {
      const id = 1 + this.#random.below(maxInt32);
      if (!this.#sessions.has(id)) return id;
    }
  }
}
