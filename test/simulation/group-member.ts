import {
  ApiKey,
  decodeConsumerProtocolAssignment,
  encodeConsumerProtocolAssignment,
  encodeConsumerProtocolSubscription,
  ErrorCode,
  type JoinGroupResponse,
  kafkaError,
  Reader,
  Writer,
} from "@millrace/wire";
import { coordinatorErrors } from "./client-routes.ts";
import { ClientProcess, nameOf, type PartitionRef, type Scene } from "./client.ts";
import { fetchOnce, type Position } from "./fetching.ts";
import type { Assignment, Commit, CommittedRead } from "./history.ts";
import { ConnectionLost, type KafkaConnection } from "./kafka-connection.ts";
import { isKnown } from "./producer.ts";

const protocolVersion = 0;
const heartbeatIntervalMs = 500;
const sessionTimeoutMs = 6_000;
const rebalanceTimeoutMs = 4_000;

interface Membership {
  readonly memberId: string;
  readonly generation: number;
}

/** One member of a group, by the classic protocol: join, sync, read, commit, heartbeat, leave. */
export class GroupMember extends ClientProcess {
  readonly #group: string;
  readonly #topics: readonly string[];
  #memberId = "";
  #stretches = 0;

  constructor(
    scene: Scene,
    options: { readonly name: string; readonly group: string; readonly topics: readonly string[] },
  ) {
    super(scene, options.name);
    this.#group = options.group;
    this.#topics = options.topics;
  }

  async run(): Promise<void> {
    const { scene } = this;
    while (!scene.isEnding) {
      try {
        const connection = await this.coordinatorOf(this.#group);
        const membership = await this.#join(connection);
        if (membership !== undefined) await this.#work(membership);
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error;
        this.lostCoordinator(this.#group);
      }
      await this.sleep(scene.world.between(5, 100));
    }
    await this.#leave();
  }

  async #join(
    connection: KafkaConnection,
  ): Promise<(Membership & { readonly positions: Position[] }) | undefined> {
    const invoked = this.scene.history.begin<Assignment>({
      ...{ kind: "assignment", group: this.#group, generation: -1, member: this.#memberId },
      partitions: [],
    });
    const joined = await connection.request(ApiKey.JoinGroup, 7, {
      groupId: this.#group,
      ...{ sessionTimeoutMs, rebalanceTimeoutMs, memberId: this.#memberId },
      protocolType: "consumer",
      protocols: [{ name: "range", metadata: subscription(this.#topics) }],
    });
    if (joined.errorCode === ErrorCode.MEMBER_ID_REQUIRED) this.#memberId = joined.memberId;
    if (joined.errorCode === ErrorCode.UNKNOWN_MEMBER_ID) this.#memberId = "";
    if (joined.errorCode !== ErrorCode.NONE) return this.#refused(joined.errorCode);
    this.#memberId = joined.memberId;
    const membership = { memberId: joined.memberId, generation: joined.generationId };
    const isLeader = joined.leader === joined.memberId;
    const synced = await connection.request(ApiKey.SyncGroup, 4, {
      groupId: this.#group,
      generationId: membership.generation,
      memberId: membership.memberId,
      assignments: isLeader ? this.#divide(joined) : [],
    });
    if (synced.errorCode === ErrorCode.UNKNOWN_MEMBER_ID) this.#memberId = "";
    if (synced.errorCode !== ErrorCode.NONE) return this.#refused(synced.errorCode);
    const owned = this.#owned(synced.assignment);
    Object.assign(invoked, {
      generation: membership.generation,
      member: membership.memberId,
      partitions: owned.map(nameOf),
    });
    this.scene.history.end(invoked, "ok");
    const what = `generation ${membership.generation} owns ${owned.map(nameOf).join(" ")}`;
    this.scene.world.trace.add(`${this.name} ${what}`);
    const positions = await this.#positions(connection, owned);
    return positions === undefined ? undefined : { ...membership, positions };
  }

  #refused(errorCode: number): undefined {
    if (coordinatorErrors.has(errorCode)) this.lostCoordinator(this.#group);
  }

  /** Range by hand: partition p of each topic to member p mod members. */
  #divide(joined: JoinGroupResponse): { memberId: string; assignment: Uint8Array }[] {
    const members = joined.members.map(({ memberId }) => memberId).sort();
    return members.map((memberId, at) => {
      const assignedPartitions = this.#topics.map((topic) => ({
        topic,
        partitions: this.scene.cluster
          .partitionsOf(topic)
          .map(({ partition }) => partition)
          .filter((partition) => partition % members.length === at),
      }));
      const writer = new Writer();
      writer.int16(protocolVersion);
      encodeConsumerProtocolAssignment(writer, protocolVersion, { assignedPartitions });
      return { memberId, assignment: writer.finishBytes() };
    });
  }

  #owned(assignment: Uint8Array): readonly PartitionRef[] {
    if (assignment.length === 0) return [];
    const reader = new Reader(assignment);
    const version = reader.int16();
    const { assignedPartitions } = decodeConsumerProtocolAssignment(reader, version);
    return assignedPartitions.flatMap(({ topic, partitions }) =>
      this.scene.cluster
        .partitionsOf(topic)
        .filter(({ partition }) => partitions.includes(partition)),
    );
  }

  async #positions(
    connection: KafkaConnection,
    owned: readonly PartitionRef[],
  ): Promise<Position[] | undefined> {
    const committed = await committedOffsets(this, connection, { group: this.#group, refs: owned });
    if (committed === undefined) {
      this.lostCoordinator(this.#group);
      return undefined;
    }
    return owned.map((ref, at) => {
      this.#stretches += 1;
      return { ref, next: Math.max(0, committed[at] ?? 0), stretch: this.#stretches };
    });
  }

  /** Reads and commits until the group rebalances, or wants nothing of this member any more. */
  async #work(membership: Membership & { readonly positions: Position[] }): Promise<void> {
    const { world } = this.scene;
    const { positions } = membership;
    const state = { beatMs: this.clock.monotonicMs() };
    while (!this.scene.isEnding) {
      const known = positions.filter(({ ref }) => isKnown(this.scene, ref));
      const verdict = await this.#round(membership, known, state);
      if (verdict === "rejoin") return;
      if (verdict === "commitAndRejoin") break;
      if (world.chance(5)) return this.#leave();
      await this.sleep(world.between(20, 200));
    }
    const known = positions.filter(({ ref }) => isKnown(this.scene, ref));
    await this.#commit(membership, known);
  }

  /**
   * A fetch, and now and then a commit and a heartbeat. Of several brokers another one coordinates
   * when one is lost, and the member goes on there, as it is.
   */
  async #round(
    membership: Membership,
    known: readonly Position[],
    state: { beatMs: number },
  ): Promise<"goOn" | "rejoin" | "commitAndRejoin"> {
    const { scene } = this;
    const { world } = scene;
    try {
      if (known.length > 0) {
        const maxBytes = world.between(1, 4_000);
        await fetchOnce(this, known, { version: 11, maxBytes, maxWaitMs: 100 });
      }
      if (world.chance(300) && (await this.#commit(membership, known)) === "rejoin") {
        return "rejoin";
      }
      if (this.clock.monotonicMs() - state.beatMs >= heartbeatIntervalMs) {
        state.beatMs = this.clock.monotonicMs();
        if ((await this.#heartbeat(membership)) === "rejoin") return "commitAndRejoin";
      }
      return "goOn";
    } catch (error) {
      const isLost = error instanceof ConnectionLost && scene.host.are === "several";
      if (!isLost) throw error;
      this.lostCoordinator(this.#group);
      return "goOn";
    }
  }

  async #heartbeat({ memberId, generation }: Membership): Promise<"goOn" | "rejoin"> {
    const connection = await this.coordinatorOf(this.#group);
    const body = { groupId: this.#group, generationId: generation, memberId };
    const { errorCode } = await connection.request(ApiKey.Heartbeat, 3, body);
    return this.#verdict(errorCode);
  }

  async #commit(
    { memberId, generation }: Membership,
    positions: readonly Position[],
  ): Promise<"goOn" | "rejoin"> {
    if (positions.length === 0) return "goOn";
    const connection = await this.coordinatorOf(this.#group);
    const { history } = this.scene;
    const commits = positions.map(({ ref, next }) =>
      history.begin<Commit>({
        ...{ kind: "commit", group: this.#group, partition: nameOf(ref), offset: next },
      }),
    );
    const byTopic = Map.groupBy(positions, ({ ref }) => ref.topic);
    const answer = await connection.request(ApiKey.OffsetCommit, 7, {
      groupId: this.#group,
      ...{ generationIdOrMemberEpoch: generation, memberId },
      topics: [...byTopic].map(([name, ofTopic]) => ({
        name,
        partitions: ofTopic.map(({ ref, next }) => ({
          ...{ partitionIndex: ref.partition, committedOffset: next, committedMetadata: null },
        })),
      })),
    });
    let verdict: "goOn" | "rejoin" = "goOn";
    positions.forEach(({ ref, next }, at) => {
      const commit = commits[at];
      const code = answer.topics
        .find(({ name }) => name === ref.topic)
        ?.partitions.find(({ partitionIndex }) => partitionIndex === ref.partition)?.errorCode;
      if (commit === undefined || code === undefined) return;
      const completion = code === ErrorCode.NONE ? "ok" : notCommitted.has(code) ? "fail" : "info";
      history.end(commit, completion);
      const what = `${nameOf(ref)}@${next} ${kafkaError(code).name}`;
      this.scene.world.trace.add(`${this.name} commits ${what}`);
      if (this.#verdict(code) === "rejoin") verdict = "rejoin";
    });
    return verdict;
  }

  #verdict(errorCode: number): "goOn" | "rejoin" {
    if (errorCode === ErrorCode.UNKNOWN_MEMBER_ID) this.#memberId = "";
    this.#refused(errorCode);
    return rejoinOn.has(errorCode) ? "rejoin" : "goOn";
  }

  async #leave(): Promise<void> {
    if (this.#memberId === "") return;
    const memberId = this.#memberId;
    this.#memberId = "";
    const body = { groupId: this.#group, members: [{ memberId, groupInstanceId: null }] };
    try {
      const connection = await this.coordinatorOf(this.#group);
      await connection.request(ApiKey.LeaveGroup, 4, body);
      this.scene.world.trace.add(`${this.name} leaves`);
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
    }
  }
}

/** After these, the commit certainly changed nothing. */
const notCommitted: ReadonlySet<number> = new Set([
  ErrorCode.UNKNOWN_MEMBER_ID,
  ErrorCode.ILLEGAL_GENERATION,
  ErrorCode.REBALANCE_IN_PROGRESS,
  ErrorCode.FENCED_INSTANCE_ID,
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
]);
const rejoinOn: ReadonlySet<number> = new Set([
  ErrorCode.UNKNOWN_MEMBER_ID,
  ErrorCode.ILLEGAL_GENERATION,
  ErrorCode.REBALANCE_IN_PROGRESS,
  ErrorCode.FENCED_INSTANCE_ID,
]);

function subscription(topics: readonly string[]): Uint8Array {
  const writer = new Writer();
  writer.int16(protocolVersion);
  encodeConsumerProtocolSubscription(writer, protocolVersion, { topics });
  return writer.finishBytes();
}

/** What is committed for each partition, -1 for nothing; undefined when that can't be said now. */
export async function committedOffsets(
  client: ClientProcess,
  connection: KafkaConnection,
  of: { readonly group: string; readonly refs: readonly PartitionRef[] },
): Promise<readonly number[] | undefined> {
  const { history } = client.scene;
  const reads = of.refs.map((ref) =>
    history.begin<CommittedRead>({
      ...{ kind: "committedRead", group: of.group, partition: nameOf(ref), offset: -1 },
    }),
  );
  const byTopic = Map.groupBy(of.refs, ({ topic }) => topic);
  const answer = await connection.request(ApiKey.OffsetFetch, 6, {
    groupId: of.group,
    topics: [...byTopic].map(([name, ofTopic]) => ({
      ...{ name, partitionIndexes: ofTopic.map(({ partition }) => partition) },
    })),
  });
  if (answer.errorCode !== ErrorCode.NONE) return undefined;
  let isWhole = true;
  const offsets = of.refs.map((ref, at) => {
    const part = answer.topics
      .find(({ name }) => name === ref.topic)
      ?.partitions.find(({ partitionIndex }) => partitionIndex === ref.partition);
    const read = reads[at];
    if (part === undefined || read === undefined || part.errorCode !== ErrorCode.NONE) {
      isWhole = false;
      return -1;
    }
    read.offset = part.committedOffset;
    history.end(read, "ok");
    return part.committedOffset;
  });
  return isWhole ? offsets : undefined;
}
