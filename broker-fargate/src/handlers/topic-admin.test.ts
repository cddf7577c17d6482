import {
  type CreatableTopicInput,
  type CreateTopicsResponseInput,
  type DeleteTopicsRequest,
  ErrorCode,
  uuidFromHex,
  zeroUuid,
} from "@millrace/wire";
import { describe, expect, it } from "vitest";
import { createTopicsHandler } from "./19-create-topics.ts";
import { deleteTopicsHandler } from "./20-delete-topics.ts";
import { createPartitionsHandler } from "./37-create-partitions.ts";
import { type AdminTest, openAdminTest } from "../../../test/fixtures/admin-client.ts";

const topic = (name: string, more: Partial<CreatableTopicInput> = {}): CreatableTopicInput => ({
  ...{ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] },
  ...more,
});

function create(
  { ask }: AdminTest,
  topics: readonly CreatableTopicInput[],
  validateOnly = false,
): Promise<CreateTopicsResponseInput> {
  return ask(createTopicsHandler, { topics, timeoutMs: 1000, validateOnly });
}

const remove = (
  { ask }: AdminTest,
  topics: DeleteTopicsRequest["topics"],
): Promise<{ readonly responses: readonly unknown[] }> =>
  ask(deleteTopicsHandler, { topics, topicNames: [], timeoutMs: 1000 });

describe("CreateTopics", () => {
  it("tells a new topic's id, size and effective configs", async () => {
    const test = await openAdminTest();
    const configs = [{ name: "retention.ms", value: "5" }];
    const { topics } = await create(test, [topic("t", { numPartitions: 3, configs })]);
    const id = test.cluster.topics.byName("t")?.id ?? "";
    expect(topics[0]).toMatchObject({
      name: "t",
      topicId: uuidFromHex(id),
      errorCode: ErrorCode.NONE,
      errorMessage: null,
      numPartitions: 3,
      replicationFactor: 1,
    });
    const shown = topics[0]?.configs ?? [];
    expect(shown.map((config) => config.name)).toEqual(shown.map((config) => config.name).sort());
    expect(shown.filter((config) => config.configSource === 1)).toEqual([
      { name: "retention.ms", value: "5", readOnly: false, configSource: 1, isSensitive: false },
    ]);
  });

  it("answers each topic on its own, and a name that comes twice once", async () => {
    const test = await openAdminTest();
    await create(test, [topic("here")]);
    const asked = [topic("here"), topic("two"), topic("two"), topic("new"), topic("a b")];
    const { topics } = await create(test, asked);
    expect(topics.map((one) => [one.name, one.errorCode, one.errorMessage])).toEqual([
      ["here", ErrorCode.TOPIC_ALREADY_EXISTS, "Topic 'here' already exists."],
      ["two", ErrorCode.INVALID_REQUEST, "Duplicate topic name."],
      ["new", ErrorCode.NONE, null],
      ["a b", ErrorCode.INVALID_TOPIC_EXCEPTION, expect.stringContaining("'a b' contains")],
    ]);
    expect(topics[0]).toMatchObject({ numPartitions: -1, replicationFactor: -1, configs: [] });
    expect(test.cluster.topics.byName("two")).toBeUndefined();
  });

  it.each<[Partial<CreatableTopicInput>, number]>([
    [{ numPartitions: 0 }, ErrorCode.INVALID_PARTITIONS],
    [{ replicationFactor: 0 }, ErrorCode.INVALID_REPLICATION_FACTOR],
    [{ configs: [{ name: "foo", value: "1" }] }, ErrorCode.INVALID_CONFIG],
    [{ numPartitions: 2_000_000_000 }, ErrorCode.POLICY_VIOLATION],
    [{ assignments: [{ partitionIndex: 0, brokerIds: [1] }] }, ErrorCode.INVALID_REQUEST],
    [
      {
        numPartitions: -1,
        replicationFactor: -1,
        assignments: [{ partitionIndex: 0, brokerIds: [9] }],
      },
      ErrorCode.INVALID_REPLICA_ASSIGNMENT,
    ],
  ])("refuses %j with Kafka's code", async (more, errorCode) => {
    const { topics } = await create(await openAdminTest(), [topic("t", more)]);
    expect(topics[0]?.errorCode).toBe(errorCode);
  });

  it("changes nothing when only asked whether it would work", async () => {
    const test = await openAdminTest();
    const { topics } = await create(test, [topic("t", { numPartitions: -1 })], true);
    expect(topics[0]).toMatchObject({ errorCode: ErrorCode.NONE, numPartitions: 1 });
    expect(test.cluster.topics.size).toBe(0);
  });

  it("says that it does not know, when the store does not answer", async () => {
    const test = await openAdminTest();
    test.store.rates = { perThousand: { throttled: 1000 } };
    const { topics } = await create(test, [topic("t")]);
    expect(topics[0]?.errorCode).toBe(ErrorCode.REQUEST_TIMED_OUT);
  });
});

describe("DeleteTopics", () => {
  it("deletes by name and by id", async () => {
    const test = await openAdminTest();
    await create(test, [topic("a"), topic("b")]);
    const a = uuidFromHex(test.cluster.topics.byName("a")?.id ?? "");
    const b = uuidFromHex(test.cluster.topics.byName("b")?.id ?? "");
    const { responses } = await remove(test, [
      { name: "a", topicId: zeroUuid },
      { name: null, topicId: b },
    ]);
    expect(responses).toEqual([
      { name: "a", topicId: a, errorCode: ErrorCode.NONE, errorMessage: null },
      { name: "b", topicId: b, errorCode: ErrorCode.NONE, errorMessage: null },
    ]);
    expect(test.cluster.topics.size).toBe(0);
  });

  it("refuses what does not exist, or is not said clearly", async () => {
    const test = await openAdminTest();
    await create(test, [topic("t")]);
    const unknown = uuidFromHex("1".repeat(32));
    const { responses } = await remove(test, [
      { name: "nobody", topicId: zeroUuid },
      { name: null, topicId: unknown },
      { name: "t", topicId: unknown },
      { name: null, topicId: zeroUuid },
      { name: "twice", topicId: zeroUuid },
      { name: "twice", topicId: zeroUuid },
    ]);
    const codes = responses.map((response) => (response as { errorCode: number }).errorCode);
    expect(codes).toEqual([
      ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
      ErrorCode.UNKNOWN_TOPIC_ID,
      ErrorCode.INVALID_REQUEST,
      ErrorCode.INVALID_REQUEST,
      ErrorCode.INVALID_REQUEST,
    ]);
    expect(test.cluster.topics.byName("t")).toBeDefined();
  });

  it("takes names alone before version 6, and has a code for 'disabled' from version 3 on", async () => {
    const test = await openAdminTest();
    await create(test, [topic("t")]);
    const request = { topics: [], topicNames: ["t"], timeoutMs: 1000 };
    const { responses } = await test.ask(deleteTopicsHandler, request, 5);
    expect(responses).toMatchObject([{ name: "t", errorCode: ErrorCode.NONE }]);
    const configs = new Map([["delete.topic.enable", "false"]]);
    const disabled = await openAdminTest({ configs });
    await create(disabled, [topic("t")]);
    const newer = await disabled.ask(deleteTopicsHandler, request, 3);
    expect(newer.responses[0]?.errorCode).toBe(ErrorCode.TOPIC_DELETION_DISABLED);
    const older = await disabled.ask(deleteTopicsHandler, request, 2);
    expect(older.responses[0]?.errorCode).toBe(ErrorCode.INVALID_REQUEST);
    expect(disabled.cluster.topics.byName("t")).toBeDefined();
  });
});

describe("CreatePartitions", () => {
  const grow = async (
    { ask }: AdminTest,
    topics: readonly (readonly [name: string, count: number])[],
    validateOnly = false,
  ): Promise<readonly unknown[]> => {
    const asked = topics.map(([name, count]) => ({ name, count, assignments: null }));
    const request = { topics: asked, timeoutMs: 1000, validateOnly };
    const { results } = await ask(createPartitionsHandler, request);
    return results.map(({ name, errorCode, errorMessage }) => [name, errorCode, errorMessage]);
  };

  it("adds partitions, unless only asked whether it would work", async () => {
    const test = await openAdminTest();
    await create(test, [topic("t")]);
    expect(await grow(test, [["t", 3]], true)).toEqual([["t", ErrorCode.NONE, null]]);
    expect(test.cluster.topics.byName("t")?.partitionCount).toBe(1);
    expect(await grow(test, [["t", 3]])).toEqual([["t", ErrorCode.NONE, null]]);
    expect(test.cluster.topics.byName("t")?.partitionCount).toBe(3);
  });

  it("refuses what is no increase, an unknown topic, and a name that comes twice", async () => {
    const test = await openAdminTest();
    await create(test, [topic("t", { numPartitions: 2 }), topic("u")]);
    const answers = await grow(test, [
      ["t", 2],
      ["nobody", 3],
      ["u", 2],
      ["u", 3],
    ]);
    expect(answers).toEqual([
      ["t", ErrorCode.INVALID_PARTITIONS, "Topic already has 2 partition(s)."],
      ["nobody", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, null],
      ["u", ErrorCode.INVALID_REQUEST, "Duplicate topic name."],
    ]);
    expect(test.cluster.topics.byName("u")?.partitionCount).toBe(1);
  });
});
