/** The bounds of single requests, at their ends. */
import { ErrorCode } from "@millrace/wire";
import { beforeAll, describe, expect, it } from "vitest";
import { type AdminTest, openAdminTest } from "../../../test/fixtures/admin-client.ts";
import { createTopic } from "../../../test/fixtures/test-cluster.ts";
import {
  alteredConfigsMax,
  createdTopicsMax,
  describedConfigBytesMax,
  describedPartitionsMax,
  entriesPerTurnMax,
  errorMessageCharactersMax,
} from "../limits.ts";
import { createTopicsHandler } from "./19-create-topics.ts";
import { describeConfigsHandler } from "./32-describe-configs.ts";
import { alterConfigsHandler } from "./33-alter-configs.ts";
import { describeLogDirsHandler } from "./35-describe-log-dirs.ts";
import { incrementalAlterConfigsHandler } from "./44-incremental-alter-configs.ts";
import { describeTopicPartitionsHandler } from "./75-describe-topic-partitions.ts";
import { errorMessage } from "./error-message.ts";
import { inTurns } from "./in-turns.ts";
import { HandlerKit } from "./partition-kit.ts";

let test: AdminTest;

beforeAll(async () => {
  test = await openAdminTest();
  await createTopic(test, "t");
});

function names(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `n${index}`);
}

describe("entries of a request", () => {
  it("are answered in their order, a bounded number of them in each turn", async () => {
    const due: (() => void)[] = [];
    const clock = {
      wallMs: () => 0,
      monotonicMs: () => 0,
      after: (_: number, run: () => void) => {
        due.push(run);
        return { cancel: () => undefined };
      },
    };
    const seen: string[] = [];
    const asked = names(2 * entriesPerTurnMax + 1);
    const answered = inTurns(clock, asked, (name) => {
      seen.push(name);
      return name;
    });
    for (let turn = 1; turn <= 2; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      expect(seen).toHaveLength(turn * entriesPerTurnMax);
      due.shift()?.();
    }
    expect(await answered).toEqual(asked);
    expect(due).toEqual([]);
  });
});

describe("error messages", () => {
  it("quote no more of what a client sent than fits", () => {
    const fits = "x".repeat(errorMessageCharactersMax);
    expect(errorMessage(fits)).toBe(fits);
    expect(errorMessage(`${fits}y`)).toBe(`${fits.slice(1)}…`);
    const pairs = "🦀".repeat(errorMessageCharactersMax);
    expect(errorMessage(pairs).isWellFormed()).toBe(true);
    expect(errorMessage(pairs).length).toBeLessThanOrEqual(errorMessageCharactersMax);
  });

  it("about names and values that fill a string fit in the answer", async () => {
    const long = "n".repeat(32_767);
    const asked = { numPartitions: 1, replicationFactor: 1, assignments: [] };
    const topics = [
      { name: long, ...asked, configs: [] },
      { name: "u", ...asked, configs: [{ name: "retention.ms", value: long }] },
    ];
    const request = { topics, timeoutMs: 1000, validateOnly: false };
    const created = await test.ask(createTopicsHandler, request);
    const configs = [{ name: long, configOperation: 0, value: "v" }];
    const resources = [{ resourceType: 2, resourceName: "t", configs }];
    const altering = { resources, validateOnly: false };
    const altered = await test.ask(incrementalAlterConfigsHandler, altering);
    const answers = [...created.topics, ...altered.responses];
    expect(answers.map(({ errorCode }) => errorCode)).toEqual([
      ErrorCode.INVALID_TOPIC_EXCEPTION,
      ErrorCode.INVALID_CONFIG,
      ErrorCode.INVALID_CONFIG,
    ]);
    const lengths = answers.map((answer) => answer.errorMessage?.length ?? 0);
    expect(Math.max(...lengths)).toBe(errorMessageCharactersMax);
  });
});

describe("one request", () => {
  it("creates no topic where it names more than one may create", async () => {
    const topics = names(createdTopicsMax + 1).map((name) => ({
      ...{ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] },
    }));
    const request = { timeoutMs: 1000, validateOnly: true };
    const ask = (count: number) =>
      test.ask(createTopicsHandler, { ...request, topics: topics.slice(0, count) });
    const over = await ask(topics.length);
    expect(new Set(over.topics.map(({ errorCode }) => errorCode))).toEqual(
      new Set([ErrorCode.POLICY_VIOLATION]),
    );
    const fits = await ask(createdTopicsMax);
    expect(fits.topics.every(({ errorCode }) => errorCode === ErrorCode.NONE)).toBe(true);
  });

  it("alters no more configs of a resource than a bounded number", async () => {
    const over = names(alteredConfigsMax + 1).map((name) => ({ name, value: "v" }));
    const ask = async (configs: typeof over): Promise<unknown> => {
      const resources = [{ resourceType: 2, resourceName: "t", configs }];
      const request = { resources, validateOnly: false };
      const { responses } = await test.ask(alterConfigsHandler, request);
      return responses[0]?.errorCode;
    };
    expect(await ask(over)).toBe(ErrorCode.POLICY_VIOLATION);
    expect(await ask(over.slice(1))).toBe(ErrorCode.INVALID_CONFIG);
  });

  it("is told of no more configs than a bounded number of bytes", async () => {
    const resource = { resourceType: 2, resourceName: "t", configurationKeys: null };
    const resources = Array.from({ length: 20_000 }, () => resource);
    const wanted = { includeSynonyms: true, includeDocumentation: true };
    const { results } = await test.ask(describeConfigsHandler, { resources, ...wanted });
    expect(results).toHaveLength(resources.length);
    const told = results.findIndex(({ errorCode }) => errorCode !== ErrorCode.NONE);
    const { configs, errorCode, errorMessage: why } = results[told] ?? {};
    expect([configs, errorCode]).toEqual([[], ErrorCode.INVALID_REQUEST]);
    expect(why).toMatch(/fewer resources/);
    const bytesOf = JSON.stringify(results[0]).length;
    expect(told * bytesOf).toBeGreaterThan(describedConfigBytesMax);
    expect(told * bytesOf).toBeLessThan(5 * describedConfigBytesMax);
  });

  it("shows a page of a bounded number of partitions, however many are asked for", async () => {
    const kit = await HandlerKit.start();
    await kit.createTopic("wide", { partitions: describedPartitionsMax + 1 });
    const handler = describeTopicPartitionsHandler(kit.broker);
    const { topics, nextCursor } = await kit.ask(handler, 0, {
      topics: [{ name: "wide" }],
      responsePartitionLimit: 0x7fffffff,
      cursor: null,
    });
    expect(topics[0]?.partitions).toHaveLength(describedPartitionsMax);
    expect(nextCursor).toEqual({ topicName: "wide", partitionIndex: describedPartitionsMax });
  });

  it("that names one topic a hundred thousand times costs time in proportion", async () => {
    const kit = await HandlerKit.start();
    await kit.createTopic("t", { partitions: 2 });
    const space = () => ({ totalBytes: 0, usableBytes: 0 });
    const handler = describeLogDirsHandler(kit.broker, { path: "/data", space });
    const topics = Array.from({ length: 100_000 }, (_, index) => ({
      ...{ topic: "t", partitions: [index] },
    }));
    const startedAt = performance.now();
    const { results } = await kit.ask(handler, 4, { topics });
    // Copying all partitions for each would take minutes.
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    expect(results[0]?.topics[0]?.partitions).toHaveLength(2);
  });
});
