import {
  type DescribeConfigsResultInput,
  ErrorCode,
  type IncrementalAlterConfigsRequest,
} from "@millrace/wire";
import { describe, expect, it } from "vitest";
import { createTopic } from "../../../test/fixtures/test-cluster.ts";
import { describeConfigsHandler } from "./32-describe-configs.ts";
import { alterConfigsHandler } from "./33-alter-configs.ts";
import { incrementalAlterConfigsHandler } from "./44-incremental-alter-configs.ts";
import { type AdminTest, openAdminTest } from "../../../test/fixtures/admin-client.ts";
import { configOperation, resourceType } from "./config-codes.ts";

const { set, delete: drop, append, subtract } = configOperation;
const { topic, broker, brokerLogger, clientMetrics, group } = resourceType;

async function opened(): Promise<AdminTest> {
  const test = await openAdminTest({ configs: new Map([["log.dirs", "/data"]]) });
  await createTopic(test, "t");
  return test;
}

async function show(
  { ask }: AdminTest,
  [type, name, keys]: readonly [type: number, name: string, keys?: readonly string[]],
): Promise<DescribeConfigsResultInput> {
  const configurationKeys = keys ?? null;
  const resources = [{ resourceType: type, resourceName: name, configurationKeys }];
  const request = { resources, includeSynonyms: true, includeDocumentation: false };
  const { results } = await ask(describeConfigsHandler, request);
  if (results[0] === undefined) throw new Error("no result");
  return results[0];
}

type Operation = readonly [key: string, operation: number, value: string | null];

async function alter(
  { ask }: AdminTest,
  [type, name, operations]: readonly [number, string, readonly Operation[]],
  validateOnly = false,
): Promise<readonly [number, string | null]> {
  const configs = operations.map(([key, operation, value]) => ({
    ...{ name: key, configOperation: operation, value },
  }));
  const resources = [{ resourceType: type, resourceName: name, configs }];
  const request: IncrementalAlterConfigsRequest = { resources, validateOnly };
  const { responses } = await ask(incrementalAlterConfigsHandler, request);
  return [responses[0]?.errorCode ?? 0, responses[0]?.errorMessage ?? null];
}

const valuesOf = ({ configs }: DescribeConfigsResultInput): unknown =>
  Object.fromEntries(configs.map((config) => [config.name, [config.value, config.configSource]]));

describe("DescribeConfigs", () => {
  it("shows every key of a topic with type, source and synonyms", async () => {
    const test = await opened();
    const all = await show(test, [topic, "t"]);
    expect(all).toMatchObject({ errorCode: ErrorCode.NONE, errorMessage: "" });
    expect(all.configs).toHaveLength(35);
    expect(all.configs.find((config) => config.name === "cleanup.policy")).toEqual({
      name: "cleanup.policy",
      value: "delete",
      readOnly: false,
      configSource: 5,
      isSensitive: false,
      synonyms: [{ name: "log.cleanup.policy", value: "delete", source: 5 }],
      configType: 7,
      documentation: null,
    });
    const some = await show(test, [topic, "t", ["retention.ms", "nobody"]]);
    expect(valuesOf(some)).toEqual({ "retention.ms": ["604800000", 5] });
    expect((await show(test, [topic, "t", []])).configs).toHaveLength(35);
  });

  it("gives synonyms and documentation only where they are asked for", async () => {
    const test = await opened();
    const resource = { resourceType: topic, resourceName: "t", configurationKeys: null };
    const bare = { resources: [resource], includeSynonyms: false, includeDocumentation: true };
    const { results } = await test.ask(describeConfigsHandler, bare);
    for (const config of results[0]?.configs ?? []) {
      expect(config.synonyms).toEqual([]);
      expect(config.documentation).toMatch(/\.$/);
    }
  });

  it("shows the broker's effective values, and which can change", async () => {
    const test = await opened();
    await alter(test, [broker, "1", [["message.max.bytes", set, "2000"]]]);
    await alter(test, [broker, "", [["message.max.bytes", set, "3000"]]]);
    const keys = ["message.max.bytes", "node.id", "log.dirs", "num.partitions", "log.roll.ms"];
    const shown = await show(test, [broker, "1", keys]);
    expect(valuesOf(shown)).toEqual({
      "log.dirs": ["/data", 4],
      "log.roll.ms": [null, 5],
      "message.max.bytes": ["2000", 2],
      "node.id": ["1", 4],
      "num.partitions": ["1", 5],
    });
    const readOnly = shown.configs.filter((config) => config.readOnly);
    expect(readOnly.map((config) => config.name)).toEqual([
      "log.dirs",
      "node.id",
      "num.partitions",
    ]);
    const forAll = await show(test, [broker, ""]);
    expect(valuesOf(forAll)).toEqual({ "message.max.bytes": ["3000", 3] });
    expect(forAll.configs[0]?.synonyms).toHaveLength(1);
  });

  it("does not show the value of a key that it does not know", async () => {
    const test = await opened();
    await alter(test, [broker, "", [["plugin.secret", set, "hush"]]]);
    const { configs } = await show(test, [broker, ""]);
    expect(configs).toMatchObject([{ name: "plugin.secret", value: null, isSensitive: true }]);
  });

  it("shows a group's configs, which follow the broker's", async () => {
    const test = await opened();
    const { configs } = await show(test, [group, "g"]);
    expect(configs).toHaveLength(17);
    const timeout = configs.find((config) => config.name === "consumer.session.timeout.ms");
    const synonym = { name: "group.consumer.session.timeout.ms", value: "45000", source: 5 };
    expect(timeout).toMatchObject({ value: "45000", configSource: 5, synonyms: [synonym] });
  });

  it.each<[number, string, number, string]>([
    [topic, "nope", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ""],
    [
      topic,
      "",
      ErrorCode.INVALID_TOPIC_EXCEPTION,
      "Topic name is invalid: the empty string is not allowed",
    ],
    [broker, "x", ErrorCode.INVALID_REQUEST, "Broker id must be an integer, but it is: x"],
    [
      broker,
      "7",
      ErrorCode.INVALID_REQUEST,
      "Unexpected broker id, expected 1 or empty string, but received 7",
    ],
    [group, "", ErrorCode.INVALID_REQUEST, "Group name must not be empty"],
    [
      brokerLogger,
      "1",
      ErrorCode.INVALID_REQUEST,
      "Loggers are set when the broker starts and cannot be described.",
    ],
    [clientMetrics, "m", ErrorCode.INVALID_REQUEST, "Client metrics subscriptions are not served."],
    [3, "x", ErrorCode.INVALID_REQUEST, "Unknown resource type 3"],
  ])("refuses resource %i %j", async (type, name, errorCode, errorMessage) => {
    const result = await show(await opened(), [type, name]);
    expect(result).toMatchObject({ errorCode, errorMessage, configs: [] });
  });
});

describe("IncrementalAlterConfigs", () => {
  it("sets, deletes, appends and subtracts a topic's configs", async () => {
    const test = await opened();
    const keys = ["retention.ms", "cleanup.policy"];
    const given = [
      ["retention.ms", set, " 8000 "],
      ["cleanup.policy", append, "compact"],
    ] as const;
    expect(await alter(test, [topic, "t", given])).toEqual([ErrorCode.NONE, null]);
    expect(valuesOf(await show(test, [topic, "t", keys]))).toEqual({
      "cleanup.policy": ["delete,compact", 1],
      "retention.ms": ["8000", 1],
    });
    const taken = [
      ["retention.ms", drop, null],
      ["cleanup.policy", subtract, "delete"],
    ] as const;
    expect(await alter(test, [topic, "t", taken])).toEqual([ErrorCode.NONE, null]);
    expect(valuesOf(await show(test, [topic, "t", keys]))).toEqual({
      "cleanup.policy": ["compact", 1],
      "retention.ms": ["604800000", 5],
    });
  });

  it("changes nothing when only asked whether it would work", async () => {
    const test = await opened();
    const given = [["retention.ms", set, "5"]] as const;
    expect(await alter(test, [topic, "t", given], true)).toEqual([ErrorCode.NONE, null]);
    expect(test.cluster.topics.byName("t")?.configs.size).toBe(0);
    expect((await alter(test, [broker, "1", [["log.retention.ms", set, "5"]]], true))[0]).toBe(0);
    expect(test.cluster.layers.broker.size).toBe(0);
  });

  it.each<[number, string, readonly Operation[], number, string]>([
    [
      topic,
      "nope",
      [["retention.ms", set, "5"]],
      ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
      "The topic 'nope' does not exist.",
    ],
    [
      topic,
      "",
      [["retention.ms", set, "5"]],
      ErrorCode.INVALID_REQUEST,
      "Default topic resources are not allowed.",
    ],
    [topic, "t", [["foo", set, "5"]], ErrorCode.INVALID_CONFIG, "Unknown topic config name: foo"],
    [
      topic,
      "t",
      [["retention.ms", set, null]],
      ErrorCode.INVALID_REQUEST,
      "Null value not supported for : retention.ms",
    ],
    [
      topic,
      "t",
      [["retention.ms", append, "5"]],
      ErrorCode.INVALID_CONFIG,
      "Can't APPEND to key retention.ms because its type is not LIST.",
    ],
    [
      topic,
      "t",
      [
        ["retention.ms", drop, null],
        ["retention.ms", set, "5"],
      ],
      ErrorCode.INVALID_REQUEST,
      "Error due to duplicate config keys",
    ],
    [
      topic,
      "t",
      [["retention.ms", 9, "5"]],
      ErrorCode.INVALID_REQUEST,
      "Unknown config operation 9",
    ],
    [
      topic,
      "t",
      [
        ["retention.ms", set, "5"],
        ["foo", set, "1"],
      ],
      ErrorCode.INVALID_CONFIG,
      "Unknown topic config name: foo",
    ],
    [
      broker,
      "1",
      [["num.partitions", set, "5"]],
      ErrorCode.INVALID_REQUEST,
      "Cannot update these configs dynamically: [num.partitions]",
    ],
    [
      broker,
      "",
      [["message.max.bytes", set, "x"]],
      ErrorCode.INVALID_REQUEST,
      "Invalid value x for configuration message.max.bytes: Not a number of type INT",
    ],
    [
      broker,
      "7",
      [["message.max.bytes", set, "5"]],
      ErrorCode.INVALID_REQUEST,
      "Unexpected broker id, expected 1, but received 7",
    ],
    [broker, "x", [], ErrorCode.INVALID_REQUEST, "Node id must be an integer, but it is: x"],
    [
      brokerLogger,
      "1",
      [["root", set, "INFO"]],
      ErrorCode.INVALID_REQUEST,
      "Loggers are set when the broker starts and cannot be altered.",
    ],
    [
      group,
      "g",
      [["consumer.session.timeout.ms", set, "5"]],
      ErrorCode.INVALID_REQUEST,
      "Configs of single groups cannot be altered.",
    ],
    [0, "x", [], ErrorCode.INVALID_REQUEST, "Unknown resource type 0"],
  ])("refuses %i %j %j in Kafka's words", async (type, name, operations, code, message) => {
    const test = await opened();
    expect(await alter(test, [type, name, operations])).toEqual([code, message]);
    expect(test.cluster.topics.byName("t")?.configs.size).toBe(0);
    expect(test.cluster.layers.broker.size + test.cluster.layers.cluster.size).toBe(0);
  });

  it("answers resources on their own, and alters none that comes twice", async () => {
    const test = await opened();
    const one = { resourceType: topic, resourceName: "t" };
    const configs = [{ name: "retention.ms", configOperation: set, value: "5" }];
    const all = { resourceType: broker, resourceName: "" };
    const change = [{ name: "message.max.bytes", configOperation: set, value: "5" }];
    const resources = [
      { ...one, configs },
      { ...one, configs },
      { ...all, configs: change },
    ];
    const request = { resources, validateOnly: false };
    const { responses } = await test.ask(incrementalAlterConfigsHandler, request);
    const codes = responses.map((response) => response.errorCode);
    expect(codes).toEqual([ErrorCode.INVALID_REQUEST, ErrorCode.INVALID_REQUEST, ErrorCode.NONE]);
    expect(test.cluster.settings.messageMaxBytes).toBe(5);
  });
});

describe("AlterConfigs", () => {
  const replace = async (
    { ask }: AdminTest,
    [type, name]: readonly [number, string],
    entries: readonly (readonly [string, string | null])[],
  ): Promise<readonly [number, string | null]> => {
    const configs = entries.map(([key, value]) => ({ name: key, value }));
    const resources = [{ resourceType: type, resourceName: name, configs }];
    const { responses } = await ask(alterConfigsHandler, { resources, validateOnly: false });
    return [responses[0]?.errorCode ?? 0, responses[0]?.errorMessage ?? null];
  };

  it("replaces everything that was set", async () => {
    const test = await opened();
    await replace(
      test,
      [topic, "t"],
      [
        ["retention.ms", "5"],
        ["flush.ms", "6"],
      ],
    );
    await replace(test, [topic, "t"], [["flush.ms", "7"]]);
    expect(test.cluster.topics.byName("t")?.configs).toEqual(new Map([["flush.ms", "7"]]));
    await replace(test, [broker, "1"], [["message.max.bytes", "5"]]);
    await replace(test, [broker, "1"], []);
    expect(test.cluster.layers.broker.size).toBe(0);
  });

  it("refuses what the incremental form refuses", async () => {
    const test = await opened();
    expect(await replace(test, [topic, "t"], [["retention.ms", null]])).toEqual([
      ErrorCode.INVALID_REQUEST,
      "Null value not supported for : retention.ms",
    ]);
    expect(await replace(test, [topic, "t"], [["foo", "1"]])).toEqual([
      ErrorCode.INVALID_CONFIG,
      "Unknown topic config name: foo",
    ]);
  });
});
