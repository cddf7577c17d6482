import { assert } from "../assert.ts";
import { type Member, metadataFor, noBytes } from "./member.ts";
import type { JoinedMember, MemberProtocol } from "./protocol.ts";

/**
 * A classic consumer group's state: who is in it, who leads, which generation holds.
 *
 * The transitions live beside it, one file per request: join.ts, sync.ts, leave.ts, heartbeat.ts,
 * and rebalance.ts, which they share. They change the group in place and return effects; they never
 * look at a clock, and the caller makes member ids. What holds after each of them:
 * - the generation never falls, and rises by one with every join phase that ends;
 * - at most one member leads, and it is in the group (or nobody is);
 * - every waiting request belongs to a member that is in the group, and a timer stands behind it;
 * - every member's protocols contain one that all members have.
 *
 *     Empty → PreparingRebalance → CompletingRebalance → Stable
 *       ↑            ↓      ↑                ↓             ↓
 *       └────────────┘      └────────────────┴─────────────┘       any → Dead
 */
export type GroupState = "Empty" | "PreparingRebalance" | "CompletingRebalance" | "Stable" | "Dead";

const previousStates: { readonly [State in GroupState]: readonly GroupState[] } = {
  Empty: ["PreparingRebalance"],
  PreparingRebalance: ["Stable", "CompletingRebalance", "Empty"],
  CompletingRebalance: ["PreparingRebalance"],
  Stable: ["CompletingRebalance"],
  Dead: ["Stable", "PreparingRebalance", "CompletingRebalance", "Empty", "Dead"],
};

/** The first join phase of an empty group, which waits for more members (KIP-134). */
export interface InitialDelay {
  readonly delayMs: number;
  readonly remainingMs: number;
  newMemberAdded: boolean;
}

/** What is written of a group; enough to go on after a restart without a rebalance. */
export interface GroupSnapshot {
  readonly state: "Empty" | "CompletingRebalance" | "Stable";
  readonly generation: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly leader: string | null;
  /** Wall time at which the state was entered. */
  readonly stateSinceMs: number;
  readonly members: readonly MemberSnapshot[];
}

export interface MemberSnapshot {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly protocols: readonly MemberProtocol[];
  readonly assignment: Uint8Array;
}

export class ClassicGroup {
  readonly groupId: string;
  generation = 0;
  protocolType: string | null = null;
  protocolName: string | null = null;
  leader: string | null = null;
  stateSinceMs: number;
  /** Set while an empty group's first join phase waits for more members. */
  initialDelay: InitialDelay | undefined;
  /** Members that were given an id and have not joined with it yet (KIP-394). */
  readonly pendingJoins: Set<string> = new Set();
  /** Members of this generation that have not asked for their assignment yet. */
  readonly pendingSyncs: Set<string> = new Set();
  #state: GroupState = "Empty";
  readonly #members = new Map<string, Member>();
  readonly #memberIdByInstance = new Map<string, string>();
  readonly #supporters = new Map<string, number>();
  #waitingJoins = 0;

  constructor(groupId: string, nowMs: number) {
    this.groupId = groupId;
    this.stateSinceMs = nowMs;
  }

  get state(): GroupState {
    return this.#state;
  }

  get size(): number {
    return this.#members.size;
  }

  get waitingJoins(): number {
    return this.#waitingJoins;
  }

  /** In the order in which they joined. */
  members(): IterableIterator<Member> {
    return this.#members.values();
  }

  member(memberId: string): Member | undefined {
    return this.#members.get(memberId);
  }

  memberIdOf(instanceId: string): string | undefined {
    return this.#memberIdByInstance.get(instanceId);
  }

  enter(state: GroupState, nowMs: number): void {
    assert(
      previousStates[state].includes(this.#state),
      `group ${this.groupId}: ${this.#state} → ${state}`,
    );
    this.#state = state;
    this.stateSinceMs = nowMs;
  }

  add(member: Member, protocolType: string): void {
    assert(!this.#members.has(member.memberId), `member ${member.memberId} joined twice`);
    if (this.#members.size === 0) this.protocolType = protocolType;
    assert(this.protocolType === protocolType, "members of one group share a protocol type");
    this.leader ??= member.memberId;
    this.#members.set(member.memberId, member);
    if (member.instanceId !== null) {
      this.#memberIdByInstance.set(member.instanceId, member.memberId);
    }
    this.#support(member.protocols, 1);
    if (member.waitingJoin !== undefined) this.#waitingJoins += 1;
    this.pendingJoins.delete(member.memberId);
  }

  /** Forgets a member or a pending one; a new leader is the longest-standing member. */
  remove(memberId: string): Member | undefined {
    const member = this.#members.get(memberId);
    if (member !== undefined) {
      this.#members.delete(memberId);
      this.#support(member.protocols, -1);
      if (member.waitingJoin !== undefined) this.#waitingJoins -= 1;
      if (member.instanceId !== null) this.#memberIdByInstance.delete(member.instanceId);
    }
    if (this.leader === memberId) this.leader = this.#members.keys().next().value ?? null;
    this.pendingJoins.delete(memberId);
    this.pendingSyncs.delete(memberId);
    return member;
  }

  /** Gives a static member a new id in the old one's place; requests of the old id are its caller's. */
  rename(old: Member, memberId: string): Member {
    assert(old.waitingJoin === undefined && old.waitingSync === undefined, "old id still waits");
    const renamed: Member = { ...old, memberId, isNew: false };
    this.#members.delete(old.memberId);
    this.#members.set(memberId, renamed);
    if (old.instanceId !== null) this.#memberIdByInstance.set(old.instanceId, memberId);
    if (this.leader === old.memberId) this.leader = memberId;
    if (this.pendingSyncs.delete(old.memberId)) this.pendingSyncs.add(memberId);
    return renamed;
  }

  setProtocols(member: Member, protocols: readonly MemberProtocol[]): void {
    this.#support(member.protocols, -1);
    member.protocols = protocols;
    this.#support(protocols, 1);
  }

  setWaitingJoin(member: Member, requestId: number | undefined): void {
    const before = member.waitingJoin === undefined ? 0 : 1;
    member.waitingJoin = requestId;
    this.#waitingJoins += (requestId === undefined ? 0 : 1) - before;
  }

  allJoined(): boolean {
    return this.#members.size === this.#waitingJoins && this.pendingJoins.size === 0;
  }

  /** The longest that any member needs to rejoin, in ms. */
  rebalanceTimeoutMs(): number {
    let longest = 0;
    for (const member of this.#members.values()) {
      longest = Math.max(longest, member.rebalanceTimeoutMs);
    }
    return longest;
  }

  /** Whether a member that offers these could be in the group with those that are. */
  supports(protocolType: string, protocols: readonly MemberProtocol[]): boolean {
    if (this.#state === "Empty") return protocolType !== "" && protocols.length > 0;
    return (
      this.protocolType === protocolType &&
      protocols.some(({ name }) => (this.#supporters.get(name) ?? 0) === this.#members.size)
    );
  }

  /** Each member votes for the first of its protocols that all have; the first of the most wins. */
  selectProtocol(): string {
    const votes = new Map<string, number>();
    for (const member of this.#members.values()) {
      const vote = member.protocols.find(
        ({ name }) => this.#supporters.get(name) === this.#members.size,
      );
      assert(vote !== undefined, `member ${member.memberId} shares no protocol with its group`);
      votes.set(vote.name, (votes.get(vote.name) ?? 0) + 1);
    }
    let selected: string | undefined;
    let most = 0;
    for (const [name, count] of votes) {
      if (count <= most) continue;
      selected = name;
      most = count;
    }
    assert(selected !== undefined, "an empty group selects no protocol");
    return selected;
  }

  joinedMembers(): readonly JoinedMember[] {
    return [...this.#members.values()].map((member) => ({
      memberId: member.memberId,
      instanceId: member.instanceId,
      metadata: metadataFor(member, this.protocolName),
    }));
  }

  /** Undefined while a join phase goes on: what is written then is still what the last one gave. */
  snapshot(): GroupSnapshot | undefined {
    if (this.#state === "PreparingRebalance" || this.#state === "Dead") return undefined;
    return {
      state: this.#state,
      generation: this.generation,
      protocolType: this.protocolType,
      protocolName: this.protocolName,
      leader: this.leader,
      stateSinceMs: this.stateSinceMs,
      members: [...this.#members.values()].map((member) => ({
        memberId: member.memberId,
        instanceId: member.instanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        sessionTimeoutMs: member.sessionTimeoutMs,
        rebalanceTimeoutMs: member.rebalanceTimeoutMs,
        protocols: member.protocols,
        assignment: member.assignment,
      })),
    };
  }

  static restore(groupId: string, snapshot: GroupSnapshot): ClassicGroup {
    const group = new ClassicGroup(groupId, snapshot.stateSinceMs);
    for (const stored of snapshot.members) {
      group.add(
        { ...stored, waitingJoin: undefined, waitingSync: undefined, isNew: false },
        snapshot.protocolType ?? "",
      );
      // Who had already synced is not written: asking once more is harmless.
      if (snapshot.state === "CompletingRebalance") group.pendingSyncs.add(stored.memberId);
    }
    group.generation = snapshot.generation;
    group.protocolType = snapshot.protocolType;
    group.protocolName = snapshot.protocolName;
    group.leader = snapshot.leader;
    group.#state = snapshot.state;
    return group;
  }

  clearAssignments(): void {
    for (const member of this.#members.values()) member.assignment = noBytes;
  }

  #support(protocols: readonly MemberProtocol[], change: 1 | -1): void {
    for (const { name } of protocols) {
      const count = (this.#supporters.get(name) ?? 0) + change;
      if (count === 0) this.#supporters.delete(name);
      else this.#supporters.set(name, count);
    }
  }
}
