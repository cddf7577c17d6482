/** One group of a `MemoryCluster`: the classic protocol, as far as a client sees it. */
import { BrokerError } from "../src/errors.ts";
import type { TopicPartition } from "../src/transport/described.ts";
import type {
  GroupIdentity,
  JoinRequest,
  JoinResult,
  MemberAssignment,
} from "../src/transport/transport.ts";

interface Member {
  readonly memberId: string;
  request: JoinRequest;
  joined: ((result: JoinResult) => void) | undefined;
}

export function refusal(code: string, retriable = false): BrokerError {
  return new BrokerError({ code, message: code, retriable });
}

export class MemoryGroup {
  readonly offsets: Map<string, number> = new Map();
  readonly members: Map<string, Member> = new Map();
  generation = 0;
  heartbeats = 0;
  #nextId = 1;
  #rebalancing = false;
  #assignments: readonly MemberAssignment[] | undefined;
  #syncing: (() => void)[] = [];

  join(request: JoinRequest): Promise<JoinResult> {
    if (request.memberId === "") {
      const memberId = `member-${this.#nextId}`;
      this.#nextId += 1;
      return Promise.resolve({ kind: "member id", memberId });
    }
    return new Promise((resolve) => {
      const { memberId } = request;
      this.members.set(memberId, { memberId, request, joined: resolve });
      this.#rebalancing = true;
      this.#complete();
    });
  }

  sync(
    member: GroupIdentity,
    assignments: readonly MemberAssignment[],
  ): Promise<readonly TopicPartition[]> {
    this.#check(member);
    if (assignments.length > 0) {
      this.#assignments = assignments;
      for (const sync of this.#syncing.splice(0)) sync();
    }
    const assigned = (): readonly TopicPartition[] =>
      this.#assignments?.find(({ memberId }) => memberId === member.memberId)?.partitions ?? [];
    if (this.#assignments !== undefined) return Promise.resolve(assigned());
    return new Promise((resolve) => this.#syncing.push(() => resolve(assigned())));
  }

  heartbeat(member: GroupIdentity): void {
    this.heartbeats += 1;
    this.#check(member);
    if (this.#rebalancing) throw refusal("REBALANCE_IN_PROGRESS");
  }

  commit(member: GroupIdentity): void {
    this.#check(member);
  }

  leave({ memberId }: GroupIdentity): void {
    this.remove(memberId);
  }

  /** The member has to join anew, as after its session ended. */
  remove(memberId: string): void {
    if (!this.members.delete(memberId) || this.members.size === 0) return;
    this.#rebalancing = true;
    this.#complete();
  }

  #check({ memberId, generation }: GroupIdentity): void {
    if (!this.members.has(memberId)) throw refusal("UNKNOWN_MEMBER_ID");
    if (generation !== this.generation) throw refusal("ILLEGAL_GENERATION");
  }

  #complete(): void {
    const members = [...this.members.values()];
    if (members.some(({ joined }) => joined === undefined)) return;
    this.generation += 1;
    this.#rebalancing = false;
    this.#assignments = undefined;
    for (const [index, member] of members.entries()) {
      const leads = index === 0;
      const all = members.map(({ memberId, request }) => ({
        ...{ memberId, instanceId: request.instanceId, topics: request.topics },
      }));
      const { memberId, joined } = member;
      member.joined = undefined;
      const { generation } = this;
      joined?.({ kind: "joined", memberId, generation, leads, members: leads ? all : [] });
    }
  }
}
