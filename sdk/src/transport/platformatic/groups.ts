/** The classic group protocol and committed offsets over @platformatic/kafka. */
import {
  type API,
  decodeConsumerProtocolAssignment,
  decodeConsumerProtocolSubscription,
  encodeConsumerProtocolAssignment,
  encodeConsumerProtocolSubscription,
  FindCoordinatorKeyTypes,
  findCoordinatorV4,
  type GroupAssignment,
  heartbeatV4,
  joinGroupV9,
  leaveGroupV5,
  offsetCommitV9,
  offsetFetchV9,
  syncGroupV5,
} from "@platformatic/kafka";
import { type BrokerError, ConnectionError } from "../../errors.ts";
import type { PartitionOffset, TopicPartition } from "../described.ts";
import type {
  CommitResult,
  GroupIdentity,
  GroupTransport,
  JoinRequest,
  JoinResult,
  MemberAssignment,
} from "../transport.ts";
import type { Connections } from "./connections.ts";
import { brokerError, refuse } from "./failures.ts";

const memberIdRequired = 79;
const protocolType = "consumer";
/** Codes after which the coordinator may be another broker. */
const coordinatorMoved: ReadonlySet<string> = new Set([
  "COORDINATOR_NOT_AVAILABLE",
  "COORDINATOR_LOAD_IN_PROGRESS",
  "NOT_COORDINATOR",
]);

export class Groups implements GroupTransport {
  readonly #connections: Connections;
  readonly #learn: () => Promise<unknown>;
  readonly #coordinators = new Map<string, number>();

  /** `learn` asks for the brokers' addresses: a coordinator may be one that is not known yet. */
  constructor(connections: Connections, learn: () => Promise<unknown>) {
    this.#connections = connections;
    this.#learn = learn;
  }

  async join(request: JoinRequest): Promise<JoinResult> {
    const metadata = encodeConsumerProtocolSubscription({
      version: 0,
      topics: [...request.topics],
    });
    const answer = await this.ask(
      request.group,
      joinGroupV9.api,
      ...([request.group, request.sessionTimeoutMs, request.rebalanceTimeoutMs] as const),
      ...([request.memberId, request.instanceId, protocolType] as const),
      [{ name: request.assignor, metadata }],
      null,
    );
    if (answer.errorCode === memberIdRequired) {
      return { kind: "member id", memberId: answer.memberId };
    }
    this.#refuse(request.group, answer.errorCode);
    return {
      kind: "joined",
      memberId: answer.memberId,
      generation: answer.generationId,
      leads: answer.leader === answer.memberId && !answer.skipAssignment,
      members: answer.members.map((member) => ({
        memberId: member.memberId,
        instanceId: member.groupInstanceId ?? null,
        topics: decodeConsumerProtocolSubscription(member.metadata).topics,
      })),
    };
  }

  async sync(
    member: GroupIdentity,
    assignor: string,
    assignments: readonly MemberAssignment[],
  ): Promise<readonly TopicPartition[]> {
    const encoded = assignments.map(({ memberId, partitions }) => ({
      memberId,
      assignment: encodeConsumerProtocolAssignment({
        version: 0,
        assignedPartitions: byTopic(partitions),
      }),
    }));
    const answer = await this.ask(
      member.group,
      syncGroupV5.api,
      ...([member.group, member.generation, member.memberId, member.instanceId] as const),
      ...([protocolType, assignor, encoded] as const),
    );
    this.#refuse(member.group, answer.errorCode);
    if (answer.assignment.length === 0) return [];
    const { assignedPartitions } = decodeConsumerProtocolAssignment(answer.assignment);
    return assignedPartitions.flatMap(({ topic, partitions }) =>
      partitions.map((partition) => ({ topic, partition })),
    );
  }

  async heartbeat(member: GroupIdentity): Promise<void> {
    const { group, generation, memberId, instanceId } = member;
    const args = [group, generation, memberId, instanceId] as const;
    const { errorCode } = await this.ask(group, heartbeatV4.api, ...args);
    this.#refuse(group, errorCode);
  }

  async leave({ group, memberId, instanceId }: GroupIdentity): Promise<void> {
    const members = [{ memberId, groupInstanceId: instanceId, reason: null }];
    const answer = await this.ask(group, leaveGroupV5.api, group, members);
    this.#refuse(group, answer.errorCode);
    for (const { errorCode } of answer.members) this.#refuse(group, errorCode);
  }

  async commit(
    member: GroupIdentity,
    offsets: readonly PartitionOffset[],
  ): Promise<readonly CommitResult[]> {
    const names = [...new Set(offsets.map(({ topic }) => topic))];
    const topics = names.map((name) => ({
      name,
      partitions: offsets
        .filter(({ topic }) => topic === name)
        .map(({ partition, offset }) => ({
          partitionIndex: partition,
          committedOffset: BigInt(offset),
          committedLeaderEpoch: -1,
          committedMetadata: null,
        })),
    }));
    const answer = await this.ask(
      member.group,
      offsetCommitV9.api,
      ...([member.group, member.generation, member.memberId, member.instanceId] as const),
      topics,
    );
    return answer.topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex, errorCode }): CommitResult => {
        const error = this.#read(member.group, errorCode);
        const place = { topic: name, partition: partitionIndex };
        return error === undefined ? place : { ...place, error };
      }),
    );
  }

  async committed(
    group: string,
    partitions?: readonly TopicPartition[],
  ): Promise<readonly PartitionOffset[]> {
    const topics =
      partitions === undefined
        ? null
        : byTopic(partitions).map(({ topic, partitions: indexes }) => ({
            name: topic,
            partitionIndexes: indexes,
          }));
    const asked = [{ groupId: group, memberId: null, memberEpoch: -1, topics }];
    // Stable offsets only: one of a transaction that is not decided yet is not answered, but refused.
    const { groups } = await this.ask(group, offsetFetchV9.api, asked, true);
    const answer = groups[0];
    if (answer === undefined) return [];
    this.#refuse(group, answer.errorCode);
    return answer.topics.flatMap(({ name, partitions: answers }) =>
      answers.map(({ partitionIndex, committedOffset, errorCode }) => {
        this.#refuse(group, errorCode);
        return { topic: name, partition: partitionIndex, offset: Number(committedOffset) };
      }),
    );
  }

  /** Asks the group's coordinator. */
  async ask<A extends unknown[], R>(group: string, api: API<A, R>, ...args: A): Promise<R> {
    const node = this.#coordinators.get(group) ?? (await this.#findCoordinator(group));
    try {
      const connection = await this.#connections.toNode(node);
      return await this.#connections.call(connection, api, ...args);
    } catch (error) {
      if (error instanceof ConnectionError) this.#coordinators.delete(group);
      throw error;
    }
  }

  async #findCoordinator(group: string): Promise<number> {
    await this.#learn();
    const connection = await this.#connections.toAny();
    const { GROUP } = FindCoordinatorKeyTypes;
    const { coordinators } = await this.#connections.call(
      connection,
      findCoordinatorV4.api,
      GROUP,
      [group],
    );
    const found = coordinators.find(({ key }) => key === group);
    refuse(found?.errorCode ?? 0, found?.errorMessage ?? null);
    if (found === undefined) throw new ConnectionError(`no coordinator of group ${group}`);
    this.#coordinators.set(group, found.nodeId);
    return found.nodeId;
  }

  #read(group: string, errorCode: number): BrokerError | undefined {
    const error = brokerError(errorCode);
    if (error !== undefined && coordinatorMoved.has(error.code)) this.#coordinators.delete(group);
    return error;
  }

  #refuse(group: string, errorCode: number): void {
    const error = this.#read(group, errorCode);
    if (error !== undefined) throw error;
  }
}

export function byTopic(partitions: readonly TopicPartition[]): GroupAssignment[] {
  const topics = new Map<string, number[]>();
  for (const { topic, partition } of partitions) {
    const indexes = topics.get(topic) ?? [];
    indexes.push(partition);
    topics.set(topic, indexes);
  }
  return [...topics].map(([topic, indexes]) => ({ topic, partitions: indexes }));
}
