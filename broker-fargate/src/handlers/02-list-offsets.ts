/**
 * ListOffsets v1–v11: the offset at a timestamp, or at one of the special ones.
 *
 * Path: some partitions in each turn → find the partition → check the client's leader epoch → ask its
 * owner, which never shows anything past the durable end, and may have to look into the object store.
 * A search by time reads the disk, and opens batches, in the turn that it is begun in: there are few
 * in each. Of a partition that is not tiered earliest-local is the log's start, and latest-tiered and
 * earliest-pending-upload are "none".
 */
import {
  ApiKey,
  ErrorCode,
  type ListOffsetsPartition,
  type ListOffsetsPartitionResponseInput,
  type ListOffsetsRequest,
  type ListOffsetsResponseInput,
} from "@millrace/wire";
import type { Broker } from "../broker.ts";
import { offsetSearchesPerTurnMax } from "../limits.ts";
import type { Isolation, PartitionOwner } from "../partition/owner.ts";
import { TurnBudget } from "../turn-budget.ts";
import {
  hasPartition,
  leaderEpochError,
  openingErrorCode,
  withPartition,
} from "./find-partition.ts";
import type { Handler } from "./handler.ts";
import { inTurns } from "./in-turns.ts";
import { learnTopics, missingPartitionCode, named } from "./missing-topics.ts";

const special = {
  latest: -1,
  earliest: -2,
  maxTimestamp: -3,
  earliestLocal: -4,
  latestTiered: -5,
  earliestPendingUpload: -6,
} as const;

const specialFromVersion: ReadonlyMap<number, number> = new Map([
  [special.maxTimestamp, 7],
  [special.earliestLocal, 8],
  [special.latestTiered, 9],
  [special.earliestPendingUpload, 11],
]);

const leaderEpochFromVersion = 4;

interface Answer {
  readonly offset: number;
  readonly timestamp: number;
  readonly leaderEpoch: number;
}

const nothing: Answer = { offset: -1, timestamp: -1, leaderEpoch: -1 };

export function listOffsetsHandler(
  broker: Broker,
): Handler<ListOffsetsRequest, ListOffsetsResponseInput> {
  const searches = new TurnBudget(broker.clock, offsetSearchesPerTurnMax);
  return {
    apiKey: ApiKey.ListOffsets,
    versions: { min: 1, max: 11 },
    handle: async (request, context) => {
      const isConfirmed = await learnTopics(
        broker,
        request.topics.map(({ name }) => named(name)),
      );
      const isolation = request.isolationLevel === 1 ? "committed" : "uncommitted";
      const how = { isolation, version: context.apiVersion, isConfirmed, searches } as const;
      const topics = request.topics.map(({ name }) => ({ name, partitions: [] as Result[] }));
      const asked = request.topics.flatMap(({ name, partitions }, topic) =>
        withoutRepeats(partitions).map((question) => ({ ...question, name, topic })),
      );
      const answers = await inTurns(broker.clock, asked, ({ asked: question, isRepeated, name }) =>
        isRepeated
          ? repeated(question.partitionIndex)
          : answerPartition(broker, name, { asked: question, ...how }),
      );
      for (const [i, answer] of answers.entries())
        topics[asked[i]?.topic ?? 0]?.partitions.push(answer);
      return { topics };
    },
  };
}

/** Each partition once. Asked for twice it gets an error: which answer would be for which? */
function withoutRepeats(
  partitions: readonly ListOffsetsPartition[],
): readonly { readonly asked: ListOffsetsPartition; readonly isRepeated: boolean }[] {
  const found = new Map<number, { asked: ListOffsetsPartition; isRepeated: boolean }>();
  for (const asked of partitions) {
    const before = found.get(asked.partitionIndex);
    if (before === undefined) found.set(asked.partitionIndex, { asked, isRepeated: false });
    else before.isRepeated = true;
  }
  return [...found.values()];
}

function repeated(partitionIndex: number): ListOffsetsPartitionResponseInput {
  return { partitionIndex, errorCode: ErrorCode.INVALID_REQUEST };
}

interface Question {
  readonly asked: ListOffsetsPartition;
  readonly isolation: Isolation;
  readonly version: number;
  /** Whether topics that are not known are not there. */
  readonly isConfirmed: boolean;
  /** Of all requests. */
  readonly searches: TurnBudget;
}

type Result = ListOffsetsPartitionResponseInput;

async function answerPartition(
  broker: Broker,
  name: string,
  question: Question,
): Promise<ListOffsetsPartitionResponseInput> {
  const { partitionIndex } = question.asked;
  const topic = broker.cluster.topics.byName(name);
  if (topic === undefined || !hasPartition(topic, partitionIndex)) {
    return { partitionIndex, errorCode: missingPartitionCode(question.isConfirmed) };
  }
  const timestamp = Number(question.asked.timestamp);
  const isSearch = timestamp >= 0 || timestamp === special.maxTimestamp;
  // Before the partition is found: it might be gone by the next turn.
  if (isSearch) await question.searches.take(1);
  try {
    return await withPartition(
      broker,
      { topicId: topic.id, partition: partitionIndex },
      (owner) => answerFrom(owner, question),
      (errorCode) => ({ partitionIndex, errorCode }),
    );
  } catch (error) {
    return { partitionIndex, errorCode: openingErrorCode(broker, error) };
  }
}

async function answerFrom(
  owner: PartitionOwner,
  question: Question,
): Promise<ListOffsetsPartitionResponseInput> {
  const { partitionIndex, currentLeaderEpoch } = question.asked;
  const timestamp = Number(question.asked.timestamp);
  if (!isServed(timestamp, question.version)) {
    return { partitionIndex, errorCode: ErrorCode.UNSUPPORTED_VERSION };
  }
  const errorCode = leaderEpochError(currentLeaderEpoch, owner.leaderEpoch);
  if (errorCode !== ErrorCode.NONE) return { partitionIndex, errorCode };
  const answer = await lookUp(owner, timestamp, question.isolation);
  // Clients before KIP-320 know no epochs, and their replies have no place for one.
  const leaderEpoch = question.version < leaderEpochFromVersion ? -1 : answer.leaderEpoch;
  return { partitionIndex, errorCode, ...answer, leaderEpoch };
}

/** Whether the timestamp is one, or a special one that the version knows. */
function isServed(timestamp: number, version: number): boolean {
  if (timestamp >= special.earliest) return true;
  const from = specialFromVersion.get(timestamp);
  return from !== undefined && version >= from;
}

async function lookUp(
  owner: PartitionOwner,
  timestamp: number,
  isolation: Isolation,
): Promise<Answer> {
  const at = (offset: number): Answer => ({
    offset,
    timestamp: -1,
    leaderEpoch: owner.epochAt(offset),
  });
  switch (timestamp) {
    case special.latest:
      return at(owner.isolationEnd(isolation));
    case special.earliest:
      return at(owner.logStartOffset);
    case special.earliestLocal:
      return at(owner.earliestLocalOffset);
    case special.maxTimestamp:
      return (await owner.maxTimestamp()) ?? nothing;
    case special.latestTiered:
      return owner.latestTieredOffset < 0 ? nothing : at(owner.latestTieredOffset);
    case special.earliestPendingUpload:
      // Of what is tiered from its first record on, that is the first one (KIP-1023).
      return owner.isTiering
        ? at(Math.max(owner.latestTieredOffset + 1, owner.logStartOffset))
        : nothing;
    default:
      return (await owner.findByTimestamp(timestamp)) ?? nothing;
  }
}
