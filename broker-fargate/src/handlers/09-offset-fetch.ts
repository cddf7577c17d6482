/**
 * OffsetFetch v1–v10: committed offsets, of the partitions asked for or (from v2 on) of all; of
 * several groups from v8 on; by topic id from v10 on.
 *
 * Path: the coordinator answers from memory, once what it would reveal is durable, and a strong read
 * shows that it still is the coordinator. A partition
 * without an offset, or a group or topic name that is not there, has offset −1 and no error. While
 * there are no transactions every offset is stable, so `requireStable` asks for nothing more. A
 * group that is named twice is answered once, for what was asked last.
 */
import { type OffsetKey, topicId } from "@millrace/core";
import {
  ApiKey,
  ErrorCode,
  type OffsetFetchRequest,
  type OffsetFetchRequestTopics,
  type OffsetFetchResponseGroupInput,
  type OffsetFetchResponseInput,
  type OffsetFetchResponsePartitionsInput,
  type OffsetFetchResponseTopicsInput,
  uuidFromHex,
  zeroUuid,
} from "@millrace/wire";
import type { Broker } from "../broker.ts";
import type { FetchedOffset } from "../group/coordinator.ts";
import type { Unavailable } from "../group/deps.ts";
import { asCoordinator, lostCoordinator } from "./as-coordinator.ts";
import { groupErrorCode } from "./group-errors.ts";
import { groupTopic } from "./group-topics.ts";
import type { Handler } from "./handler.ts";
import { inTurns } from "./in-turns.ts";
import { learnTopics } from "./missing-topics.ts";

const groupsFrom = 8;
const byIdFrom = 10;
const noId = "0".repeat(32);

interface Asked {
  readonly groupId: string;
  readonly topics: readonly OffsetFetchRequestTopics[] | null;
}

export function offsetFetchHandler(
  broker: Broker,
): Handler<OffsetFetchRequest, OffsetFetchResponseInput> {
  return {
    apiKey: ApiKey.OffsetFetch,
    versions: { min: 1, max: 10 },
    handle: (request, { apiVersion }) =>
      apiVersion >= groupsFrom
        ? fetchGroups(broker, request.groups, apiVersion)
        : fetchOneGroup(broker, request, apiVersion),
  };
}

async function fetchGroups(
  broker: Broker,
  groups: readonly Asked[],
  version: number,
): Promise<OffsetFetchResponseInput> {
  const once = [...new Map(groups.map((asked) => [asked.groupId, asked])).values()];
  const answer = (asked: Asked): Promise<OffsetFetchResponseGroupInput> =>
    fetchGroup(broker, asked, version);
  return { groups: await inTurns(broker.clock, once, answer) };
}

async function fetchOneGroup(
  broker: Broker,
  request: OffsetFetchRequest,
  version: number,
): Promise<OffsetFetchResponseInput> {
  const id = uuidFromHex(noId);
  const named = request.topics?.map((topic) => ({ ...topic, topicId: id })) ?? null;
  const asked = { groupId: request.groupId, topics: named };
  const { errorCode, topics } = await fetchGroup(broker, asked, version);
  const plain = topics.map(({ name = "", partitions }) => ({ name, partitions }));
  if (errorCode === undefined || errorCode === ErrorCode.NONE) return { topics: plain };
  // v1 has no error of its own for the group: each partition carries it.
  const refused = (named ?? []).map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((index) => ({ ...noOffset(index), errorCode })),
  }));
  return { errorCode, topics: version >= 2 ? [] : refused };
}

async function fetchGroup(
  broker: Broker,
  asked: Asked,
  version: number,
): Promise<OffsetFetchResponseGroupInput> {
  const { groupId } = asked;
  const how = version >= byIdFrom ? "byId" : "byName";
  const asksFor = asked.topics === null ? null : withoutRepeats(asked.topics, how);
  const named = asksFor?.map(({ name, topicId: id }) => {
    return how === "byId" ? { name: "", topicId: id } : { name, topicId: zeroUuid };
  });
  if (!(await learnTopics(broker, named ?? []))) {
    return { groupId, topics: [], errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE };
  }
  const keys = asksFor?.flatMap((topic) => keysOf(broker, topic, how)) ?? "all";
  const fetched = await fetchOffsets(broker, groupId, keys);
  if (typeof fetched === "string") {
    return { groupId, topics: [], errorCode: groupErrorCode(fetched) };
  }
  const byTopic = new Map<string, Map<number, FetchedOffset>>();
  for (const found of fetched) {
    const offsets = byTopic.get(found.topicId);
    if (offsets === undefined) byTopic.set(found.topicId, new Map([[found.partition, found]]));
    else offsets.set(found.partition, found);
  }
  const topics =
    asksFor === null
      ? allTopics(broker, byTopic, how)
      : asksFor.map((topic) => answerTopic(broker, byTopic, { topic, how }));
  return { groupId, topics, errorCode: ErrorCode.NONE };
}

/**
 * Each topic and partition once: an offset's metadata is a thousand times as long as the four bytes
 * that ask for it, so that repeats would make a short request a reply of gigabytes.
 */
function withoutRepeats(
  topics: readonly OffsetFetchRequestTopics[],
  how: "byId" | "byName",
): readonly OffsetFetchRequestTopics[] {
  const found = new Map<string, { asked: OffsetFetchRequestTopics; partitions: Set<number> }>();
  for (const asked of topics) {
    const reference = how === "byId" ? asked.topicId : asked.name;
    const before = found.get(reference);
    if (before === undefined) {
      found.set(reference, { asked, partitions: new Set(asked.partitionIndexes) });
    } else for (const partition of asked.partitionIndexes) before.partitions.add(partition);
  }
  return Array.from(found.values(), ({ asked, partitions }) => {
    return { ...asked, partitionIndexes: [...partitions] };
  });
}

/**
 * A strong read that begins after the request shows whether others may have committed since, so a
 * group is never sent back by an owner that was replaced (ownership rule 16).
 */
async function fetchOffsets(
  broker: Broker,
  groupId: string,
  keys: readonly OffsetKey[] | "all",
): Promise<readonly FetchedOffset[] | Unavailable> {
  const ask = (): Promise<readonly FetchedOffset[] | Unavailable> =>
    broker.groups.fetchOffsets(groupId, keys);
  const fetched = await asCoordinator(broker, groupId, ask);
  if (typeof fetched === "string") return fetched;
  return (await lostCoordinator(broker, groupId)) ?? fetched;
}

function keysOf(
  broker: Broker,
  asked: OffsetFetchRequestTopics,
  how: "byId" | "byName",
): readonly OffsetKey[] {
  const topic = groupTopic(broker, asked, how);
  if (topic === undefined) return [];
  return asked.partitionIndexes.map((partition) => ({ topicId: topic.id, partition }));
}

type ByTopic = ReadonlyMap<string, ReadonlyMap<number, FetchedOffset>>;

function answerTopic(
  broker: Broker,
  byTopic: ByTopic,
  question: { readonly topic: OffsetFetchRequestTopics; readonly how: "byId" | "byName" },
): OffsetFetchResponseTopicsInput {
  const { topic: asked, how } = question;
  const topic = groupTopic(broker, asked, how);
  const unknownId = topic === undefined && how === "byId";
  const errorCode = unknownId ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.NONE;
  const offsets = byTopic.get(topic?.id ?? "");
  return {
    ...(how === "byId" ? { topicId: asked.topicId } : { name: asked.name }),
    partitions: asked.partitionIndexes.map((index) => {
      const found = offsets?.get(index);
      return found === undefined ? { ...noOffset(index), errorCode } : answerOffset(found);
    }),
  };
}

/** Of topics that are there: what a deleted one left behind is invisible until it is removed. */
function allTopics(
  broker: Broker,
  byTopic: ByTopic,
  how: "byId" | "byName",
): readonly OffsetFetchResponseTopicsInput[] {
  return [...byTopic].flatMap(([id, offsets]) => {
    const topic = broker.cluster.topics.byId(topicId(id));
    if (topic === undefined) return [];
    const partitions = Array.from(offsets.values(), answerOffset);
    const reference = how === "byId" ? { topicId: uuidFromHex(id) } : { name: topic.name };
    return [{ ...reference, partitions }];
  });
}

function answerOffset(found: FetchedOffset): OffsetFetchResponsePartitionsInput {
  return {
    partitionIndex: found.partition,
    committedOffset: found.offset,
    committedLeaderEpoch: found.leaderEpoch,
    metadata: found.metadata,
    errorCode: ErrorCode.NONE,
  };
}

function noOffset(partitionIndex: number): OffsetFetchResponsePartitionsInput {
  return {
    partitionIndex,
    committedOffset: -1,
    committedLeaderEpoch: -1,
    metadata: "",
    errorCode: ErrorCode.NONE,
  };
}
