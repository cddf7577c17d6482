import {
  ApiKey,
  type CreateTopicsResponse,
  type FetchRequest,
  type FetchResponse,
  type InitProducerIdResponse,
  type JoinGroupRequest,
  type JoinGroupResponse,
  type MetadataResponse,
  type ProduceResponse,
} from "@millrace/wire";
import type { Chance } from "../chance.ts";

export interface KnownTopic {
  readonly name: string;
  id: string;
  partitions: number;
  /** The end of each partition that was produced to, by its number. */
  readonly ends: Map<number, number>;
}

export interface KnownMember {
  readonly groupId: string;
  readonly memberId: string;
  readonly generation: number;
  readonly protocol: string | null;
}

export interface KnownSession {
  readonly id: number;
  epoch: number;
}

export interface KnownProducer {
  readonly id: number;
  readonly epoch: number;
  sequence: number;
}

/** What one request is mostly about, so that its fields go together. */
export interface Focus {
  readonly topic: KnownTopic;
  readonly partition: number;
  readonly groupId: string;
  readonly member: KnownMember | undefined;
  readonly session: KnownSession | undefined;
  readonly producer: KnownProducer | undefined;
}

const rememberedMax = 12;
export const groupIds: readonly string[] = ["readers", "writers", "g", "größe", "a".repeat(300)];
const noId = "0".repeat(32);

/** The times that requests ask for, in milliseconds, where they mean to be sensible. */
export interface Times {
  /** For records, or for an operation to end. */
  readonly waitsMs: readonly number[];
  readonly sessionsMs: readonly number[];
  readonly rebalancesMs: readonly number[];
}

const usualTimes: Times = {
  waitsMs: [0, 1, 100, 1_000, 6_000, 30_000],
  sessionsMs: [6_000, 10_000, 30_000, 30_000, 300_000],
  rebalancesMs: [1_000, 10_000, 60_000],
};

/** What clients learned from answers; later requests are made of it. */
export class Knowledge {
  readonly times: Times;
  readonly topics: Map<string, KnownTopic> = new Map<string, KnownTopic>();
  readonly members: KnownMember[] = [];
  readonly sessions: KnownSession[] = [];
  readonly producers: KnownProducer[] = [];
  clusterId: string | null = null;
  leaderEpoch = -1;

  constructor(names: readonly string[], times: Times = usualTimes) {
    this.times = times;
    for (const name of names) {
      this.topics.set(name, { name, id: noId, partitions: 2, ends: new Map() });
    }
  }

  focus(chance: Chance): Focus {
    const topic = chance.pick([...this.topics.values()]);
    const member = this.members.length === 0 ? undefined : chance.pick(this.members);
    const isOfMember = member !== undefined && chance.perThousand(850);
    return {
      topic,
      partition: chance.below(Math.max(1, Math.min(topic.partitions, 4))),
      groupId: isOfMember ? member.groupId : chance.pick(groupIds),
      member: isOfMember ? member : undefined,
      session: this.sessions.length === 0 ? undefined : chance.pick(this.sessions),
      producer: this.producers.length === 0 ? undefined : chance.pick(this.producers),
    };
  }

  learn(apiKey: ApiKey, request: unknown, response: unknown): void {
    switch (apiKey) {
      case ApiKey.Metadata:
        return this.#learnMetadata(response as MetadataResponse);
      case ApiKey.CreateTopics:
        return this.#learnCreated(response as CreateTopicsResponse);
      case ApiKey.JoinGroup:
        return this.#learnMember(request as JoinGroupRequest, response as JoinGroupResponse);
      case ApiKey.Fetch:
        return this.#learnSession(request as FetchRequest, response as FetchResponse);
      case ApiKey.InitProducerId:
        return this.#learnProducer(response as InitProducerIdResponse);
      case ApiKey.Produce:
        return this.#learnEnds(response as ProduceResponse);
      default:
        return;
    }
  }

  #learnMetadata({ topics, clusterId }: MetadataResponse): void {
    this.clusterId ??= clusterId;
    for (const { name, topicId, partitions } of topics) {
      const topic = name === null ? undefined : this.topics.get(name);
      if (topic === undefined) continue;
      if (topicId !== noId) topic.id = topicId;
      topic.partitions = partitions.length;
      this.leaderEpoch = partitions[0]?.leaderEpoch ?? this.leaderEpoch;
    }
  }

  #learnCreated({ topics }: CreateTopicsResponse): void {
    for (const { errorCode, name, numPartitions, topicId } of topics) {
      const topic = this.topics.get(name);
      if (topic === undefined || errorCode !== 0) continue;
      if (topicId !== noId) topic.id = topicId;
      if (numPartitions > 0) topic.partitions = numPartitions;
      topic.ends.clear();
    }
  }

  #learnMember({ groupId }: JoinGroupRequest, response: JoinGroupResponse): void {
    const { memberId, generationId: generation, protocolName: protocol } = response;
    if (memberId === "") return;
    const before = this.members.findIndex((known) => known.memberId === memberId);
    if (before >= 0) this.members.splice(before, 1);
    remember(this.members, { groupId, memberId, generation, protocol });
  }

  #learnSession({ sessionId, sessionEpoch }: FetchRequest, response: FetchResponse): void {
    if (response.errorCode !== 0 || response.sessionId === 0) return;
    const known = this.sessions.find(({ id }) => id === response.sessionId);
    if (known === undefined) remember(this.sessions, { id: response.sessionId, epoch: 1 });
    else if (known.id === sessionId) known.epoch = sessionEpoch + 1;
  }

  #learnProducer({ producerId, producerEpoch }: InitProducerIdResponse): void {
    if (producerId < 0) return;
    remember(this.producers, { id: producerId, epoch: producerEpoch, sequence: 0 });
  }

  #learnEnds({ responses }: ProduceResponse): void {
    for (const { name, topicId, partitionResponses } of responses) {
      const isIt = (known: KnownTopic): boolean => known.name === name || known.id === topicId;
      const topic = [...this.topics.values()].find(isIt);
      for (const { baseOffset, errorCode, index } of partitionResponses) {
        if (errorCode === 0 && baseOffset >= 0) topic?.ends.set(index, baseOffset + 1);
      }
    }
  }
}

function remember<Known>(all: Known[], one: Known): void {
  all.push(one);
  if (all.length > rememberedMax) all.shift();
}
