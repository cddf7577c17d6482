import { assert, type Timer } from "@millrace/core";
import { ErrorCode, zeroUuid } from "@millrace/wire";
import { offsetCommitHandler } from "../../broker-fargate/src/handlers/08-offset-commit.ts";
import { joinGroupHandler } from "../../broker-fargate/src/handlers/11-join-group.ts";
import { heartbeatHandler } from "../../broker-fargate/src/handlers/12-heartbeat.ts";
import { syncGroupHandler } from "../../broker-fargate/src/handlers/14-sync-group.ts";
import type { RequestContext } from "../../broker-fargate/src/handlers/handler.ts";
import { contextOf } from "../../broker-fargate/src/handlers/partition-kit.ts";
import type { MeteredBroker, MeteredCluster } from "./metered-cluster.ts";

/** Of the versions that this load speaks. */
const joinVersion = 3;
const syncVersion = 3;
const heartbeatVersion = 3;
const commitVersion = 8;
/** As clients have it by default. */
const heartbeatMs = 3_000;
const sessionTimeoutMs = 45_000;
const rebalanceTimeoutMs = 300_000;

export interface GroupLoadOptions {
  readonly group: string;
  readonly topic: string;
  /** Spread over the members, and all of them move between two commits. */
  readonly partitions: number;
  readonly members: number;
  readonly commitEveryMs: number;
}

interface Member {
  readonly context: (version: number) => RequestContext;
  memberId: string;
  generation: number;
}

/**
 * The members of a classic group, on a connection each, which heartbeat and commit, each at a time
 * of its own within the interval. Whatever is refused fails the run.
 */
export class GroupLoad {
  readonly #cluster: MeteredCluster;
  readonly #options: GroupLoadOptions;
  readonly #coordinator: MeteredBroker;
  readonly #members: readonly Member[];
  readonly #timers = new Set<Timer>();
  #offset = 0;
  commits = 0;

  constructor(cluster: MeteredCluster, options: GroupLoadOptions) {
    this.#cluster = cluster;
    this.#options = options;
    this.#coordinator = coordinatorOf(cluster, options.group);
    this.#members = Array.from({ length: options.members }, (_, index) => {
      const connection = `${options.group}-${index}`;
      return { context: (version) => contextOn(connection, version), memberId: "", generation: 0 };
    });
  }

  /** Resolves when the group is stable, and its members commit. */
  async start(): Promise<void> {
    await this.#cluster.settled(Promise.all(this.#members.map((member) => this.#join(member))));
    await this.#cluster.settled(Promise.all(this.#members.map((member) => this.#sync(member))));
    const { commitEveryMs, members } = this.#options;
    for (const [index, member] of this.#members.entries()) {
      const part = index / members;
      this.#every(heartbeatMs, part, () => this.#heartbeat(member));
      this.#every(commitEveryMs, part, () => this.#commit(member, index));
    }
  }

  stop(): void {
    for (const timer of this.#timers) timer.cancel();
  }

  /** Again and again, from a part of the interval on; not before the former one is answered. */
  #every(everyMs: number, part: number, run: () => Promise<void>): void {
    const { clock } = this.#cluster;
    const later = (delayMs: number): void => {
      const timer = clock.after(delayMs, () => {
        this.#timers.delete(timer);
        const dueMs = clock.monotonicMs() + everyMs;
        void run().then(() => later(Math.max(0, dueMs - clock.monotonicMs())));
      });
      this.#timers.add(timer);
    };
    later(everyMs * part);
  }

  async #join(member: Member): Promise<void> {
    const { group: groupId } = this.#options;
    const response = await joinGroupHandler(this.#coordinator.broker).handle(
      {
        ...{ groupId, sessionTimeoutMs, rebalanceTimeoutMs },
        ...{ memberId: "", groupInstanceId: null, reason: null, protocolType: "consumer" },
        protocols: [{ name: "range", metadata: subscription }],
      },
      member.context(joinVersion),
    );
    this.#check("JoinGroup", response?.errorCode);
    member.memberId = response?.memberId ?? "";
    member.generation = response?.generationId ?? -1;
  }

  async #sync(member: Member): Promise<void> {
    const isFirst = member === this.#members[0];
    // Whoever leads brings everybody's; here the first does, and the others' bring none.
    const assignments = this.#members.map(({ memberId }) => ({ memberId, assignment }));
    const response = await syncGroupHandler(this.#coordinator.broker).handle(
      {
        ...this.#identity(member),
        ...{ protocolType: null, protocolName: null },
        assignments: isFirst ? assignments : [],
      },
      member.context(syncVersion),
    );
    this.#check("SyncGroup", response?.errorCode);
  }

  async #heartbeat(member: Member): Promise<void> {
    const response = await heartbeatHandler(this.#coordinator.broker).handle(
      this.#identity(member),
      member.context(heartbeatVersion),
    );
    this.#check("Heartbeat", response?.errorCode);
  }

  async #commit(member: Member, index: number): Promise<void> {
    const { members, partitions, topic: name } = this.#options;
    this.#offset += 1;
    const mine = Array.from({ length: partitions }, (_, partition) => partition).filter(
      (partition) => partition % members === index,
    );
    const { generationId, ...identity } = this.#identity(member);
    const response = await offsetCommitHandler(this.#coordinator.broker).handle(
      {
        ...identity,
        generationIdOrMemberEpoch: generationId,
        retentionTimeMs: -1,
        topics: [
          {
            ...{ name, topicId: zeroUuid },
            partitions: mine.map((partitionIndex) => ({
              ...{ partitionIndex, committedOffset: this.#offset },
              ...{ committedLeaderEpoch: 1, committedMetadata: "" },
            })),
          },
        ],
      },
      member.context(commitVersion),
    );
    for (const { partitions: answers } of response?.topics ?? []) {
      for (const { errorCode } of answers) this.#check("OffsetCommit", errorCode);
    }
    this.commits += 1;
  }

  #identity({ generation, memberId }: Member): {
    readonly groupId: string;
    readonly generationId: number;
    readonly memberId: string;
    readonly groupInstanceId: null;
  } {
    const { group: groupId } = this.#options;
    return { groupId, generationId: generation, memberId, groupInstanceId: null };
  }

  #check(what: string, errorCode: number | undefined): void {
    if (errorCode !== ErrorCode.NONE) this.#cluster.fail(`${what} was refused: ${errorCode}`);
  }
}

const subscription: Uint8Array = new Uint8Array(40);
const assignment: Uint8Array = new Uint8Array(60);

function contextOn(connection: string, version: number): RequestContext {
  const context = contextOf(version);
  return { ...context, connection: { ...context.connection, id: connection } };
}

function coordinatorOf(cluster: MeteredCluster, group: string): MeteredBroker {
  const found = cluster.brokers.find(({ broker }) => {
    return broker.view.leads(broker.cluster.slotOfGroup(group));
  });
  assert(found !== undefined, `somebody coordinates ${group}`);
  return found;
}
