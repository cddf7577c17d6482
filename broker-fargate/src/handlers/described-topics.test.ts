import {
  ApiKey,
  EncodedItems,
  encodeMetadataResponse,
  type MetadataResponseTopic,
  Reader,
  responseDecoders,
  Writer,
} from "@millrace/wire";
import { beforeEach, describe, expect, it } from "vitest";
import { encodedPartitionsPerTurnMax } from "../limits.ts";
import { DescribedTopics, type TopicForm, type TopicsInput } from "./described-topics.ts";
import { EncodedCache } from "./encoded-cache.ts";
import { HandlerKit } from "./partition-kit.ts";

const plain: TopicForm = { apiVersion: 12, withOperations: false };
let kit: HandlerKit;
let described: DescribedTopics;

beforeEach(async () => {
  kit = await HandlerKit.start();
  described = new DescribedTopics(kit.broker);
});

function decoded(topics: TopicsInput, version: number): readonly MetadataResponseTopic[] {
  const writer = new Writer("bare");
  encodeMetadataResponse(writer, version, { brokers: [], topics });
  const reader = new Reader(writer.finishBytes());
  const response = responseDecoders[ApiKey.Metadata](reader, version);
  reader.expectEnd();
  return response.topics;
}

async function all(form = plain): Promise<readonly MetadataResponseTopic[]> {
  return decoded(await kit.settled(Promise.resolve(described.all(form))), form.apiVersion);
}

async function some(names: readonly string[]): Promise<readonly MetadataResponseTopic[]> {
  const items = names.map((name) => {
    const topic = kit.broker.cluster.topics.byName(name);
    if (topic !== undefined) return { topic };
    return { topic: undefined, failure: { errorCode: 3, name, partitions: [] } };
  });
  const answer = Promise.resolve(described.some(items, plain));
  return decoded(await kit.settled(answer), plain.apiVersion);
}

const shapeOf = ({ name, partitions }: MetadataResponseTopic): readonly unknown[] => [
  name,
  partitions.length,
  partitions.every(({ partitionIndex }, index) => partitionIndex === index),
];

describe("described topics", () => {
  it("are all there in every version, one of them larger than a turn", async () => {
    await kit.createTopic("a-small", { partitions: 2 });
    await kit.createTopic("huge", { partitions: 2 * encodedPartitionsPerTurnMax + 7 });
    await kit.createTopic("large", { partitions: 900 });
    for (let apiVersion = 0; apiVersion <= 13; apiVersion++) {
      for (const withOperations of apiVersion < 8 ? [false] : [false, true]) {
        const topics = await all({ apiVersion, withOperations });
        expect(topics.map(shapeOf)).toEqual([
          ["a-small", 2, true],
          ["huge", 2 * encodedPartitionsPerTurnMax + 7, true],
          ["large", 900, true],
        ]);
        const { nodeId } = kit.broker.settings;
        expect(topics[1]?.partitions.at(-1)).toMatchObject({
          ...{ errorCode: 0, leaderId: nodeId, replicaNodes: [nodeId], isrNodes: [nodeId] },
          leaderEpoch: apiVersion < 7 ? -1 : kit.broker.cluster.epoch,
        });
        const operations = topics.map(({ topicAuthorizedOperations }) => topicAuthorizedOperations);
        expect(operations.every((bits) => bits > 0)).toBe(withOperations);
      }
    }
  });

  it("keep the order of the request, failures and small ones among them", async () => {
    await kit.createTopic("small", { partitions: 3 });
    await kit.createTopic("large", { partitions: 700 });
    await kit.createTopic("larger", { partitions: 5_000 });
    const topics = await some(["larger", "absent", "small", "large", "other"]);
    expect(topics.map(shapeOf)).toEqual([
      ["larger", 5_000, true],
      ["absent", 0, true],
      ["small", 3, true],
      ["large", 700, true],
      ["other", 0, true],
    ]);
    expect(topics.map(({ errorCode }) => errorCode)).toEqual([0, 3, 0, 0, 3]);
  });

  it("are never older than the request", async () => {
    const { cluster } = kit.broker;
    await kit.createTopic("t", { partitions: 600 });
    await kit.createTopic("u", { partitions: 600 });
    expect((await all()).map(shapeOf)).toEqual([
      ["t", 600, true],
      ["u", 600, true],
    ]);
    expect((await some(["t"])).map(shapeOf)).toEqual([["t", 600, true]]);
    await cluster.createPartitions("t", { partitionCount: 601, assignments: undefined }, "perform");
    expect((await all())[0]?.partitions).toHaveLength(601);
    expect((await some(["t"]))[0]?.partitions).toHaveLength(601);
    await cluster.deleteTopic("t");
    expect((await all()).map(shapeOf)).toEqual([["u", 600, true]]);
    const id = await kit.createTopic("t", { partitions: 600 });
    expect((await some(["t"]))[0]?.topicId).toBe(id);
  });

  it("take no more than their share of a turn, the first time, and none after that", async () => {
    await kit.createTopic("huge", { partitions: 10 * encodedPartitionsPerTurnMax });
    const { clock } = kit.rig;
    const countTurns = async (asking: Promise<unknown>): Promise<number> => {
      const state = { turns: 0, isDone: false };
      void asking.then(() => {
        state.isDone = true;
      });
      for (await new Promise(setImmediate); !state.isDone; await new Promise(setImmediate)) {
        state.turns += 1;
        clock.fireNext();
      }
      return state.turns;
    };
    const asked = async (): Promise<unknown> => described.all(plain);
    const both = Promise.all([asked(), asked()]);
    expect(await countTurns(both)).toBeGreaterThanOrEqual(9);
    expect(await countTurns(asked())).toBe(0);
    const [first, second] = await both;
    expect(first).toBe(second);
  });

  it("are kept up to a limit of bytes, the last used ones", async () => {
    const bytesOf = (topics: readonly MetadataResponseTopic[]): number => topics.length;
    const cachedBytesMax = 60_000;
    described = new DescribedTopics(kit.broker, cachedBytesMax);
    for (let index = 0; index < 6; index++) await kit.createTopic(`t${index}`, { partitions: 700 });
    for (let round = 0; round < 3; round++) {
      for (let index = 0; index < 6; index++) {
        expect(bytesOf(await some([`t${index}`]))).toBe(1);
        expect(described.cachedBytes).toBeGreaterThan(0);
        expect(described.cachedBytes).toBeLessThanOrEqual(cachedBytesMax);
      }
    }
    await all();
    expect(described.cachedBytes).toBeLessThanOrEqual(cachedBytesMax);
  });

  it("do not keep the list of all that a change has replaced", async () => {
    await kit.createTopic("large", { partitions: 700 });
    await all();
    const bytes = described.cachedBytes;
    for (let index = 0; index < 5; index++) {
      await kit.createTopic(`t${index}`);
      await all();
    }
    expect(described.cachedBytes).toBeGreaterThan(bytes);
    expect(described.cachedBytes).toBeLessThan(1.5 * bytes);
  });
});

describe("what is kept encoded", () => {
  const items = (bytes: number): readonly EncodedItems[] => [
    new EncodedItems(1, [new Uint8Array(bytes)]),
  ];

  it("goes with the least recently used subject, in all its forms", async () => {
    const cache = new EncodedCache(100);
    const made: string[] = [];
    const find = (subject: object, form: string, bytes: number): Promise<unknown> =>
      cache.find(subject, form, () => {
        made.push(form);
        return Promise.resolve(items(bytes));
      });
    const [a, b, c] = [{}, {}, {}];
    await find(a, "a1", 30);
    await find(a, "a2", 30);
    await find(b, "b", 30);
    await find(a, "a1", 30);
    await find(c, "c", 30);
    expect(cache.bytes).toBe(90);
    await find(a, "a2", 30);
    await find(b, "b", 30);
    expect(made).toEqual(["a1", "a2", "b", "c", "b"]);
    await find(c, "huge", 101);
    expect(cache.bytes).toBe(0);
  });

  it("forgets what could not be encoded", async () => {
    const cache = new EncodedCache(100);
    const subject = {};
    const failing = cache.find(subject, "x", () => Promise.reject(new Error("no")));
    await expect(failing).rejects.toThrow("no");
    await cache.find(subject, "x", () => Promise.resolve(items(10)));
    expect(cache.bytes).toBe(10);
  });
});
