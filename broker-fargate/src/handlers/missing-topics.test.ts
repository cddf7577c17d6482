import { MetadataError } from "@millrace/core";
import { ErrorCode, type Uuid, uuidFromHex, zeroUuid } from "@millrace/wire";
import { beforeEach, describe, expect, it } from "vitest";
import type { OffsetCommit } from "../group/offset-store.ts";
import { produceHandler } from "./00-produce.ts";
import { fetchHandler } from "./01-fetch.ts";
import { listOffsetsHandler } from "./02-list-offsets.ts";
import { metadataHandler } from "./03-metadata.ts";
import { offsetCommitHandler } from "./08-offset-commit.ts";
import { offsetFetchHandler } from "./09-offset-fetch.ts";
import { deleteTopicsHandler } from "./20-delete-topics.ts";
import { deleteRecordsHandler } from "./21-delete-records.ts";
import { offsetForLeaderEpochHandler } from "./23-offset-for-leader-epoch.ts";
import { describeConfigsHandler } from "./32-describe-configs.ts";
import { offsetDeleteHandler } from "./47-offset-delete.ts";
import { describeTopicPartitionsHandler } from "./75-describe-topic-partitions.ts";
import { batch, contextOf, HandlerKit } from "./partition-kit.ts";

const unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
const notLeader = ErrorCode.NOT_LEADER_OR_FOLLOWER;
const strangeId = uuidFromHex(`${"0".repeat(31)}9`);
const timedOut = ErrorCode.REQUEST_TIMED_OUT;
const away = new MetadataError("away", { retriable: true, applied: "no" });
let kit: HandlerKit;
let topicId: Uuid;
/** What becomes of a strong read. */
let look: () => Promise<void>;
let looks: number;
/** What the coordinator was given to commit, request by request. */
let committed: (readonly OffsetCommit[])[];

/** `known` is in memory; `new` is in the store alone until a strong read finds it. */
beforeEach(async () => {
  kit = await HandlerKit.start();
  await kit.createTopic("known");
  topicId = await kit.createTopic("new");
  const { topics } = kit.rig.cluster;
  const stored = topics.byName("new");
  const [byName, byId] = [topics.byName.bind(topics), topics.byId.bind(topics)];
  let isLearnt = false;
  topics.byName = (name) => (name === "new" && !isLearnt ? undefined : byName(name));
  topics.byId = (id) => (id === stored?.id && !isLearnt ? undefined : byId(id));
  look = () => Promise.resolve();
  looks = 0;
  committed = [];
  const misses = {
    confirmMissing: async (asked: { readonly name: string } | { readonly id: string }) => {
      looks += 1;
      await look();
      if ("name" in asked ? asked.name !== "new" : asked.id !== stored?.id) return undefined;
      isLearnt = true;
      return stored;
    },
  };
  const groups = {
    commit: ({ commits }: { readonly commits: readonly OffsetCommit[] }) => {
      committed.push(commits);
      return Promise.resolve({ kind: "done", results: commits.map(() => "committed") });
    },
    deleteOffsets: (_: string, gone: readonly unknown[]) =>
      Promise.resolve({ kind: "done", results: gone.map(() => "deleted") }),
    fetchOffsets: () => Promise.resolve([]),
  };
  Object.assign(kit.broker, { misses, groups });
});

const produce = (names: readonly string[]) => ({
  ...{ acks: -1, transactionalId: null, timeoutMs: 1000 },
  topicData: names.map((name) => {
    return { name, topicId: zeroUuid, partitionData: [{ index: 0, records: batch(3) }] };
  }),
});

const commitOf = (names: readonly string[]) => ({
  ...{ groupId: "g", generationIdOrMemberEpoch: -1, memberId: "", groupInstanceId: null },
  retentionTimeMs: -1,
  topics: names.map((name) => {
    const partition = { partitionIndex: 0, committedOffset: 5, committedLeaderEpoch: -1 };
    const partitions = [{ ...partition, committedMetadata: null }];
    return { name, topicId: zeroUuid, partitions };
  }),
});

type Ask = (name: string) => Promise<number | undefined>;

/** The error code that each request gives for a topic by its name. */
const requests: { readonly [name: string]: Ask } = {
  produce: async (name) => {
    const { responses } = await kit.ask(produceHandler(kit.broker), 12, produce([name]));
    return responses[0]?.partitionResponses[0]?.errorCode;
  },
  fetch: async (topic) => {
    const { responses } = await kit.ask(fetchHandler(kit.broker), 12, {
      ...{ clusterId: null, replicaId: -1, maxWaitMs: 0, minBytes: 0, maxBytes: 100_000 },
      replicaState: { replicaId: -1, replicaEpoch: -1 },
      ...{ isolationLevel: 0, sessionId: 0, sessionEpoch: -1, rackId: "" },
      topics: [{ topic, topicId: zeroUuid, partitions: [fetched] }],
      forgottenTopicsData: [],
    });
    return responses[0]?.partitions[0]?.errorCode;
  },
  listOffsets: async (name) => {
    const asked = { partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1n };
    const { topics } = await kit.ask(listOffsetsHandler(kit.broker), 11, {
      ...{ replicaId: -1, isolationLevel: 0, timeoutMs: 0 },
      topics: [{ name, partitions: [asked] }],
    });
    return topics[0]?.partitions[0]?.errorCode;
  },
  offsetForLeaderEpoch: async (topic) => {
    const asked = { partition: 0, currentLeaderEpoch: -1, leaderEpoch: 0 };
    const request = { replicaId: -1, topics: [{ topic, partitions: [asked] }] };
    const { topics } = await kit.ask(offsetForLeaderEpochHandler(kit.broker), 4, request);
    return topics[0]?.partitions[0]?.errorCode;
  },
  deleteRecords: async (name) => {
    const partitions = [{ partitionIndex: 0, offset: 0 }];
    const request = { topics: [{ name, partitions }], timeoutMs: 1000 };
    const { topics } = await kit.ask(deleteRecordsHandler(kit.broker), 2, request);
    return topics[0]?.partitions[0]?.errorCode;
  },
  metadata: async (name) => {
    const { topics } = await kit.ask(metadataHandler(kit.broker), 12, {
      topics: [{ name, topicId: zeroUuid }],
      ...{ allowAutoTopicCreation: false, includeTopicAuthorizedOperations: false },
      includeClusterAuthorizedOperations: false,
    });
    return (topics as unknown as { readonly errorCode: number }[])[0]?.errorCode;
  },
  describeTopicPartitions: async (name) => {
    const request = { topics: [{ name }], responsePartitionLimit: 10, cursor: null };
    const { topics } = await kit.ask(describeTopicPartitionsHandler(kit.broker), 0, request);
    return topics[0]?.errorCode;
  },
  describeConfigs: async (resourceName) => {
    const resources = [{ resourceType: 2, resourceName, configurationKeys: null }];
    const wanted = { includeSynonyms: false, includeDocumentation: false };
    const request = { resources, ...wanted };
    const { results } = await kit.ask(describeConfigsHandler(kit.broker), 4, request);
    return results[0]?.errorCode;
  },
  offsetDelete: async (name) => {
    const topics = [{ name, partitions: [{ partitionIndex: 0 }] }];
    const answer = await kit.ask(offsetDeleteHandler(kit.broker), 0, { groupId: "g", topics });
    return answer.errorCode === 0 ? answer.topics[0]?.partitions[0]?.errorCode : answer.errorCode;
  },
  offsetCommit: async (name) => {
    const { topics } = await kit.ask(offsetCommitHandler(kit.broker), 9, commitOf([name]));
    return topics[0]?.partitions[0]?.errorCode;
  },
};

const fetched = {
  ...{ partition: 0, fetchOffset: 0, currentLeaderEpoch: -1, lastFetchedEpoch: -1 },
  ...{ logStartOffset: -1, partitionMaxBytes: 10_000, replicaDirectoryId: zeroUuid },
  highWatermark: -1n,
};

describe("a topic that this broker does not know", () => {
  const names = Object.keys(requests);

  it.each(names)("is looked for, and is there, if another broker has made it: %s", async (name) => {
    expect(await requests[name]?.("new")).toBe(0);
    expect(looks).toBe(1);
    expect(await requests[name]?.("known")).toBe(0);
    expect(looks).toBe(1);
  });

  it.each(names)("is unknown once nobody has it: %s", async (name) => {
    expect(await requests[name]?.("nobodys")).toBe(unknown);
    expect(looks).toBe(1);
  });

  it.each([
    ["produce", notLeader],
    ["fetch", notLeader],
    ["listOffsets", notLeader],
    ["offsetForLeaderEpoch", notLeader],
    ["deleteRecords", notLeader],
    ["metadata", ErrorCode.LEADER_NOT_AVAILABLE],
    ["describeTopicPartitions", timedOut],
    ["describeConfigs", timedOut],
    ["offsetDelete", ErrorCode.COORDINATOR_NOT_AVAILABLE],
    ["offsetCommit", ErrorCode.COORDINATOR_NOT_AVAILABLE],
  ])("is not called unknown while the store does not answer: %s", async (name, code) => {
    look = () => Promise.reject(away);
    expect(await requests[name]?.("nobodys")).toBe(code);
  });

  it("is found by its id", async () => {
    const { topics } = await kit.ask(metadataHandler(kit.broker), 12, {
      topics: [{ name: null, topicId }],
      ...{ allowAutoTopicCreation: false, includeTopicAuthorizedOperations: false },
      includeClusterAuthorizedOperations: false,
    });
    expect(topics).toMatchObject([{ errorCode: 0, name: "new" }]);
  });

  it("is deleted by its id", async () => {
    const remove = async (id: Uuid): Promise<unknown> => {
      const topics = [{ name: null, topicId: id }];
      const request = { topics, topicNames: [], timeoutMs: 1000 };
      const { responses } = await kit.ask(deleteTopicsHandler(kit.broker), 6, request);
      return responses[0]?.errorCode;
    };
    look = () => Promise.reject(away);
    expect(await remove(topicId)).toBe(timedOut);
    look = () => Promise.resolve();
    expect(await remove(topicId)).toBe(0);
    expect(await remove(strangeId)).toBe(ErrorCode.UNKNOWN_TOPIC_ID);
  });

  it("makes OffsetFetch wait, or ask again where the store does not answer", async () => {
    const ask = async (): Promise<unknown> => {
      const { groups } = await kit.ask(offsetFetchHandler(kit.broker), 10, {
        ...{ groupId: "", topics: [], requireStable: false },
        groups: [
          {
            ...{ groupId: "g", memberId: null, memberEpoch: -1 },
            topics: [{ name: "", topicId, partitionIndexes: [0] }],
          },
        ],
      });
      return [groups?.[0]?.errorCode, groups?.[0]?.topics[0]?.partitions[0]?.errorCode];
    };
    look = () => Promise.reject(away);
    expect(await ask()).toEqual([ErrorCode.COORDINATOR_NOT_AVAILABLE, undefined]);
    look = () => Promise.resolve();
    expect(await ask()).toEqual([0, 0]);
  });
});

describe("a topic that is known", () => {
  /** Looks wait until what is returned is called. */
  function lookLater(): () => void {
    const waiting: (() => void)[] = [];
    look = () => new Promise((resolve) => waiting.push(resolve));
    return () => {
      for (const resolve of waiting) resolve();
    };
  }

  it("is appended to in the order of requests, though another topic is looked for", async () => {
    const answer = lookLater();
    const handler = produceHandler(kit.broker);
    const first = Promise.resolve(handler.handle(produce(["known", "new"]), contextOf(12)));
    const second = await kit.ask(handler, 12, produce(["known"]));
    expect(second.responses[0]?.partitionResponses[0]?.baseOffset).toBe(3);
    answer();
    const { responses = [] } = (await kit.settled(first)) ?? {};
    expect(responses.map(({ partitionResponses }) => partitionResponses[0]?.baseOffset)).toEqual([
      0, 0,
    ]);
  });

  it("is committed in the order of requests, and answered in its place", async () => {
    const answer = lookLater();
    const handler = offsetCommitHandler(kit.broker);
    const request = commitOf(["new", "known", "nobodys"]);
    const first = Promise.resolve(handler.handle(request, contextOf(9)));
    await kit.ask(handler, 9, commitOf(["known"]));
    expect(committed.map((commits) => commits.length)).toEqual([1, 1]);
    answer();
    const { topics = [] } = (await kit.settled(first)) ?? {};
    expect(topics.map(({ name, partitions }) => [name, partitions[0]?.errorCode])).toEqual([
      ["new", 0],
      ["known", 0],
      ["nobodys", unknown],
    ]);
    expect(committed.map((commits) => commits.length)).toEqual([1, 1, 1]);
  });
});
