import {
  ErrorCode,
  type ListOffsetsResponseInput,
  type MetadataRequestTopic,
  type MetadataResponse,
  type Uuid,
  uuidFromHex,
  zeroUuid,
} from "@millrace/wire";
import { beforeEach, describe, expect, it } from "vitest";
import { offsetSearchesPerTurnMax } from "../limits.ts";
import { turn } from "../partition/fixtures.ts";
import { produceHandler } from "./00-produce.ts";
import { listOffsetsHandler } from "./02-list-offsets.ts";
import { metadataHandler } from "./03-metadata.ts";
import { apiVersionsHandler } from "./18-api-versions.ts";
import { offsetForLeaderEpochHandler } from "./23-offset-for-leader-epoch.ts";
import { describeLogDirsHandler } from "./35-describe-log-dirs.ts";
import { describeTopicPartitionsHandler } from "./75-describe-topic-partitions.ts";
import { batch, contextOf, HandlerKit } from "./partition-kit.ts";

const strangeId = uuidFromHex(`${"0".repeat(31)}9`);
let kit: HandlerKit;
let topicId: Uuid;

beforeEach(async () => {
  kit = await HandlerKit.start();
  topicId = await kit.createTopic("t", { partitions: 3 });
  const partitionData = [{ index: 0, records: batch(3) }];
  await kit.ask(produceHandler(kit.broker), 12, {
    ...{ acks: -1, transactionalId: null, timeoutMs: 1000 },
    topicData: [{ name: "t", topicId: zeroUuid, partitionData }],
  });
});

const epochs = (): readonly number[] => {
  const { epoch } = kit.rig.cluster;
  return [epoch - 1, epoch, epoch + 1];
};
const fencing = [ErrorCode.FENCED_LEADER_EPOCH, 0, ErrorCode.UNKNOWN_LEADER_EPOCH];

describe("ListOffsets", () => {
  interface Asked {
    readonly partitionIndex?: number;
    readonly timestamp: number | bigint;
    readonly currentLeaderEpoch?: number;
  }

  function list(asked: readonly Asked[], version = 11): Promise<ListOffsetsResponseInput> {
    const partitions = asked.map(({ timestamp, ...more }) => ({
      ...{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: BigInt(timestamp) },
      ...more,
    }));
    const topics = [{ name: "t", partitions }];
    const request = { replicaId: -1, isolationLevel: 0, timeoutMs: 0, topics };
    return kit.ask(listOffsetsHandler(kit.broker), version, request);
  }

  async function answers(asked: readonly Asked[], version = 11): Promise<readonly unknown[]> {
    const { topics } = await list(asked, version);
    return topics.flatMap(({ partitions }) =>
      partitions.map(({ errorCode, offset, timestamp }) => [errorCode, offset, timestamp]),
    );
  }

  it.each([
    [-1, [0, 3, -1]],
    [-2, [0, 0, -1]],
    [-3, [0, 2, 1002]],
    [-4, [0, 0, -1]],
    [-5, [0, -1, -1]],
    [-6, [0, -1, -1]],
    [-7, [ErrorCode.UNSUPPORTED_VERSION, -1, -1]],
    [0, [0, 0, 1000]],
    [1001, [0, 1, 1001]],
    [1003, [0, -1, -1]],
    [(1n << 63n) - 1n, [0, -1, -1]],
    [-(1n << 63n), [ErrorCode.UNSUPPORTED_VERSION, -1, -1]],
  ] as const)("answers for the timestamp %s", async (timestamp, expected) => {
    expect(await answers([{ timestamp }])).toEqual([expected]);
  });

  it.each([
    [-3, 7],
    [-4, 8],
    [-5, 9],
    [-6, 11],
  ])("knows the special timestamp %i from v%i on", async (timestamp, from) => {
    const stale = { timestamp, currentLeaderEpoch: 0 };
    const before = await answers([stale], from - 1);
    expect(before).toEqual([[ErrorCode.UNSUPPORTED_VERSION, -1, -1]]);
    const [[errorCode] = []] = (await answers([{ timestamp }], from)) as number[][];
    expect(errorCode).toBe(0);
  });

  it("gives a partition that comes twice an error, once", async () => {
    const asked = [{ timestamp: -1 }, { timestamp: -2 }, { partitionIndex: 1, timestamp: -1 }];
    const expected = [
      [ErrorCode.INVALID_REQUEST, -1, -1],
      [0, 0, -1],
    ];
    expect(await answers(asked)).toEqual(expected);
  });

  it("searches few partitions by time in each turn, and answers all in their order", async () => {
    const count = 2 * offsetSearchesPerTurnMax + 1;
    const id = await kit.rig.createTopic("many", { partitions: count });
    const all = Array.from({ length: count }, (_, partition) => partition);
    let searches = 0;
    for (const partition of all) {
      const owner = await kit.settled(kit.rig.partitions.open(id, partition));
      owner.findByTimestamp = () => {
        searches += 1;
        return Promise.resolve({ offset: partition, timestamp: 1, leaderEpoch: 0 });
      };
    }
    const partitions = all.map((partitionIndex) => {
      return { partitionIndex, currentLeaderEpoch: -1, timestamp: 1n };
    });
    const topics = [{ name: "many", partitions }];
    const request = { replicaId: -1, isolationLevel: 0, timeoutMs: 0, topics };
    const answering = listOffsetsHandler(kit.broker).handle(request, contextOf(11));
    const seen: number[] = [];
    do {
      await turn();
      seen.push(searches);
      kit.rig.clock.fireNext();
    } while (seen.at(-1) !== count);
    const inEachTurn = seen.map((sum, i) => sum - (seen[i - 1] ?? 0));
    expect(Math.max(...inEachTurn)).toBe(offsetSearchesPerTurnMax);
    const answer = await answering;
    expect(answer?.topics[0]?.partitions.map(({ offset }) => offset)).toEqual(all);
  });

  it("fences by the client's epoch, and does not find what is not there", async () => {
    for (const [index, currentLeaderEpoch] of epochs().entries()) {
      const { topics } = await list([{ timestamp: -1, currentLeaderEpoch }]);
      expect(topics[0]?.partitions[0]?.errorCode).toBe(fencing[index]);
    }
    expect(await answers([{ partitionIndex: 9, timestamp: -1 }])).toEqual([[3, -1, -1]]);
  });
});

describe("OffsetForLeaderEpoch", () => {
  it("tells where an epoch ended, and fences", async () => {
    const { epoch } = kit.rig.cluster;
    const partitions = [
      ...epochs().map((leaderEpoch) => ({ partition: 0, currentLeaderEpoch: -1, leaderEpoch })),
      ...epochs().map((at) => ({ partition: 0, currentLeaderEpoch: at, leaderEpoch: epoch })),
      { partition: 9, currentLeaderEpoch: -1, leaderEpoch: epoch },
    ];
    const topics = [{ topic: "t", partitions }];
    const handler = offsetForLeaderEpochHandler(kit.broker);
    const response = await kit.ask(handler, 4, { replicaId: -1, topics });
    const shown = response.topics[0]?.partitions ?? [];
    expect(shown.map(({ errorCode, endOffset }) => [errorCode, endOffset])).toEqual([
      [0, 0],
      [0, 3],
      [0, -1],
      [ErrorCode.FENCED_LEADER_EPOCH, -1],
      [0, 3],
      [ErrorCode.UNKNOWN_LEADER_EPOCH, -1],
      [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1],
    ]);
  });
});

describe("Metadata", () => {
  function ask(
    topics: readonly MetadataRequestTopic[] | null,
    version = 13,
    allowAutoTopicCreation = false,
  ): Promise<MetadataResponse> {
    const more = { includeTopicAuthorizedOperations: false };
    const request = { topics, allowAutoTopicCreation, ...more };
    const all = { ...request, includeClusterAuthorizedOperations: false };
    const answer: Promise<unknown> = kit.ask(metadataHandler(kit.broker), version, all);
    return answer as Promise<MetadataResponse>;
  }
  const named = (name: string | null, id = zeroUuid): MetadataRequestTopic => ({
    ...{ name, topicId: id },
  });

  it("knows all topics, and none, in the words of each version", async () => {
    expect((await ask([], 0)).topics).toHaveLength(1);
    for (let version = 1; version <= 13; version += 1) {
      expect((await ask(null, version)).topics).toHaveLength(1);
      expect((await ask([], version)).topics).toHaveLength(0);
    }
  });

  it("answers each topic once, by name or by id", async () => {
    const asked = [named("t"), named("t"), named("no"), named("a b"), named(null, strangeId)];
    const { topics } = await ask(asked);
    expect(topics).toMatchObject([
      { errorCode: 0, name: "t", topicId },
      { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, name: "no" },
      { errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION, name: "a b" },
      { errorCode: ErrorCode.UNKNOWN_TOPIC_ID, name: null, topicId: strangeId },
    ]);
    const byId = await ask([named(null, topicId), named("other", topicId)]);
    expect(byId.topics).toMatchObject([{ errorCode: 0, name: "t" }]);
  });

  it.each([10, 11])("refuses ids in v%i, which has a field for them", async (version) => {
    const { brokers, topics } = await ask([named(null, topicId), named("t")], version);
    expect(brokers).toEqual([]);
    expect(topics.map(({ errorCode, name }) => [errorCode, name])).toEqual([
      [ErrorCode.INVALID_REQUEST, ""],
      [ErrorCode.INVALID_REQUEST, "t"],
    ]);
  });

  it("makes a topic only where the client and the broker want it", async () => {
    expect((await ask([named("new")], 13, false)).topics[0]?.errorCode).toBe(3);
    expect((await ask([named("new")], 13, true)).topics[0]?.errorCode).toBe(0);
  });
});

describe("ApiVersions", () => {
  const ask = (changes: object, version = 5): Promise<{ readonly errorCode: number }> =>
    kit.ask(
      apiVersionsHandler(kit.broker, () => []),
      version,
      {
        ...{ clientSoftwareName: "c", clientSoftwareVersion: "1", clusterId: null, nodeId: -1 },
        ...changes,
      },
    );

  it.each(["", "a b", "-a", "a-", "."])(
    "refuses the software name '%s' from v3 on",
    async (name) => {
      const refused = ErrorCode.INVALID_REQUEST;
      expect(await ask({ clientSoftwareName: name })).toMatchObject({ errorCode: refused });
      expect(await ask({ clientSoftwareName: name }, 2)).toMatchObject({ errorCode: 0 });
    },
  );

  it("sends a client that means another broker or cluster back to its bootstrap", async () => {
    const { brokerId: nodeId, clusterId } = kit.rig.cluster;
    const codeOf = async (changes: object): Promise<number> => (await ask(changes)).errorCode;
    expect(await codeOf({ clusterId, nodeId })).toBe(0);
    expect(await codeOf({ clusterId: null, nodeId: nodeId + 1 })).toBe(0);
    const led = ErrorCode.REBOOTSTRAP_REQUIRED;
    expect(await codeOf({ clusterId, nodeId: nodeId + 1 })).toBe(led);
    expect(await codeOf({ clusterId: "other", nodeId })).toBe(led);
  });
});

describe("DescribeLogDirs", () => {
  const folder = { path: "/data", space: () => ({ totalBytes: 10, usableBytes: 5 }) };

  async function shown(
    topics: readonly { readonly topic: string; readonly partitions: readonly number[] }[] | null,
  ): Promise<readonly unknown[]> {
    const handler = describeLogDirsHandler(kit.broker, folder);
    const { results } = await kit.ask(handler, 5, { topics });
    return results.flatMap((result) =>
      result.topics.map(({ name, partitions }) => [name, partitions.map((p) => p.partitionIndex)]),
    );
  }

  it("shows each partition asked for once, and all where none is named", async () => {
    expect(await shown(null)).toEqual([["t", [0, 1, 2]]]);
    expect(await shown([])).toEqual([]);
    const partitions = [2, 2, 9, -1];
    const asked = [
      { topic: "t", partitions },
      { topic: "no", partitions },
      { topic: "t", partitions: [0] },
    ];
    expect(await shown(asked)).toEqual([["t", [2, 0]]]);
    expect(await shown([{ topic: "t", partitions: [] }])).toEqual([]);
  });
});

describe("DescribeTopicPartitions", () => {
  interface Page {
    readonly limit?: number;
    readonly cursor?: readonly [string, number];
  }

  async function page(names: readonly string[], { limit = 2000, cursor }: Page = {}) {
    const [topicName = "", partitionIndex = 0] = cursor ?? [];
    const { nextCursor, topics } = await kit.ask(describeTopicPartitionsHandler(kit.broker), 0, {
      topics: names.map((name) => ({ name })),
      responsePartitionLimit: limit,
      cursor: cursor === undefined ? null : { topicName, partitionIndex },
    });
    const shown = topics.map(({ errorCode, name, partitions }) => [
      ...[name, errorCode],
      partitions.map((one) => one.partitionIndex),
    ]);
    return { shown, nextCursor };
  }

  it("turns pages by partitions, topics sorted, each once", async () => {
    await kit.createTopic("s");
    expect(await page(["t", "s", "t"], { limit: 2 })).toEqual({
      shown: [
        ["s", 0, [0]],
        ["t", 0, [0]],
      ],
      nextCursor: { topicName: "t", partitionIndex: 1 },
    });
    const rest = { shown: [["t", 0, [1, 2]]], nextCursor: null };
    expect(await page(["t", "s"], { cursor: ["t", 1] })).toEqual(rest);
    expect(await page([], { cursor: ["t", 1] })).toEqual(rest);
  });

  it("goes on at a topic that does not exist, when the page is full before it", async () => {
    const nextCursor = { topicName: "u", partitionIndex: 0 };
    expect(await page(["t", "u"], { limit: 3 })).toMatchObject({ nextCursor });
    expect(await page(["t", "u"], { cursor: ["u", 0] })).toEqual({
      shown: [["u", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, []]],
      nextCursor: null,
    });
  });

  it.each([
    ["t", -1],
    ["other", 0],
  ] as const)("refuses the cursor %s %i", async (...cursor) => {
    const shown = [["t", ErrorCode.INVALID_REQUEST, []]];
    expect(await page(["t"], { cursor })).toEqual({ shown, nextCursor: null });
  });
});
