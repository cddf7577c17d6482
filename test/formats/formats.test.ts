/** The present broker finds in a released format's directory what was acknowledged there. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LmdbMetadataStore } from "@millrace/adapter-node";
import { formatVersion, type ItemValue, keys } from "@millrace/core";
import { ApiKey, crc32c, ErrorCode } from "@millrace/wire";
import { describe, expect, test } from "vitest";
import { type BrokerProcess, startBroker, startRefused } from "./broker-process.ts";
import {
  createTopic,
  type IdempotentProducer,
  middleTimestamp,
  newProducer,
  produceNext,
  produceSequence,
  sequencesPerBatch,
} from "./contents.ts";
import { type Expected, type Fixture, fixtures, withCopy } from "./fixtures.ts";
import { commitOffset, join as joinGroup, offsetGroups, reader, sync } from "./group-contents.ts";
import { type Observation, observe } from "./observe.ts";
import { WireClient } from "../fixtures/wire-client.ts";

const released = fixtures();

async function withBroker<Result>(
  directory: string,
  end: "SIGTERM" | "SIGKILL",
  use: (client: WireClient) => Promise<Result>,
): Promise<Result> {
  const broker: BrokerProcess = await startBroker(directory);
  try {
    const client = await WireClient.open(broker.port);
    const result = await use(client);
    client.close();
    return result;
  } finally {
    await broker.end(end);
  }
}

/** The producer's last batches are known again, a gap is refused, the next sequence goes in. */
async function continueProducer(
  client: WireClient,
  producer: IdempotentProducer,
): Promise<IdempotentProducer> {
  for (const { baseOffset, baseSequence } of producer.remembered) {
    const again = await produceSequence(client, producer, baseSequence);
    expect(again).toEqual({ errorCode: 0, baseOffset });
  }
  const ahead = producer.nextSequence + sequencesPerBatch;
  const gap = await produceSequence(client, producer, ahead);
  expect(gap.errorCode).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER);
  return produceNext(client, producer, 1);
}

async function deletedTopicIsGone(client: WireClient, expected: Expected): Promise<void> {
  const { topicId } = expected.deletedTopic;
  const topics = [{ topicId: topicId as never, name: null }];
  const metadata = await client.ask(ApiKey.Metadata, 12, { topics });
  expect(metadata.topics[0]?.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_ID);
}

/** A static member comes back as one that was away for a moment: no rebalance. */
async function memberComesBack(client: WireClient, expected: Expected): Promise<void> {
  const joined = await joinGroup(client, reader);
  expect(joined).toMatchObject({ errorCode: 0, generation: expected.generation });
  const { groups } = expected.observation;
  const [member] = groups.find(({ groupId }) => groupId === reader.groupId)?.members ?? [];
  const assignment = await sync(client, joined, []);
  expect(Buffer.from(assignment).toString("hex")).toBe(member?.assignment);
}

interface Grown {
  readonly producers: readonly IdempotentProducer[];
  readonly observation: Observation;
}

async function checkAndGrow(client: WireClient, expected: Expected): Promise<Grown> {
  expect(await observe(client, middleTimestamp)).toEqual(expected.observation);
  await deletedTopicIsGone(client, expected);
  const producers: IdempotentProducer[] = [];
  for (const producer of expected.producers) {
    producers.push(await continueProducer(client, producer));
  }
  const fresh = await newProducer(client, { topic: "orders", partition: 1 });
  expect(expected.producers.map(({ producerId }) => producerId)).not.toContain(fresh.producerId);
  await memberComesBack(client, expected);
  for (const groupId of offsetGroups) {
    const commit = { topic: "orders", partition: 0, offset: 7, metadata: "grown" };
    await commitOffset(client, groupId, commit);
  }
  const configs = { "millrace.durability": "journal" };
  await createTopic(client, { name: "added", partitionCount: 1, configs, written: 0 });
  const observation = await observe(client, middleTimestamp);
  for (const { topic, partition } of expected.producers) {
    const before = endOffset(expected.observation, topic, partition);
    expect(endOffset(observation, topic, partition)).toBe(before + sequencesPerBatch);
  }
  expect(observation.topics.map(({ name }) => name)).toContain("added");
  return { producers, observation };
}

function endOffset(observation: Observation, name: string, partition: number): number {
  const topic = observation.topics.find((candidate) => candidate.name === name);
  return topic?.partitions[partition]?.endOffset ?? Number.NaN;
}

async function openGrowRestart(fixture: Fixture): Promise<void> {
  const { expected } = fixture;
  await withCopy(fixture, async (directory) => {
    const grown = await withBroker(directory, expected.end, (client) =>
      checkAndGrow(client, expected),
    );
    await withBroker(directory, "SIGTERM", async (client) => {
      expect(await observe(client, middleTimestamp)).toEqual(grown.observation);
      for (const producer of grown.producers) await continueProducer(client, producer);
    });
  });
}

/** Opened twice, it is still what the version that made it reads; then it is told to be newer. */
async function stayAndRaise(fixture: Fixture): Promise<void> {
  await withCopy(fixture, async (directory) => {
    const { end } = fixture.expected;
    const before = await withBroker(directory, end, (client) => observe(client, middleTimestamp));
    const { features, leadership } = await changedByLevel(directory);
    expect(features).toEqual({ "millrace.version": 1 });
    expect(leadership?.["assignments"]).toMatchObject([{ firstSlot: 0, lastSlot: 1023 }]);
    await withBroker(directory, end, async (client) => {
      const featureUpdates = [{ feature: "millrace.version", maxVersionLevel: 2 }];
      const answer = await client.ask(ApiKey.UpdateFeatures, 2, { featureUpdates });
      expect(answer).toMatchObject({ errorCode: ErrorCode.NONE, errorMessage: null });
    });
    const raised = await changedByLevel(directory);
    expect(raised.features).toEqual({ "millrace.version": 2 });
    expect(raised.leadership?.["assignments"]).toMatchObject([{ slots: "0-1023" }]);
    await withBroker(directory, "SIGTERM", async (client) => {
      expect(await observe(client, middleTimestamp)).toEqual(before);
    });
  });
}

async function changedByLevel(
  directory: string,
): Promise<{ readonly features?: ItemValue; readonly leadership?: ItemValue }> {
  const store = LmdbMetadataStore.open(join(directory, "metadata"));
  const features = await store.get(keys.features);
  const leadership = await store.get(keys.leadership);
  await store.close();
  return {
    ...(features === undefined ? {} : { features: features.value }),
    ...(leadership === undefined ? {} : { leadership: leadership.value }),
  };
}

describe("a data directory of a released format", () => {
  test("is checked in for every format up to the present one, closed and killed", () => {
    const found = released.map(({ expected }) => `${expected.format} ${expected.end}`);
    const formats = Array.from({ length: formatVersion }, (_, index) => index + 1);
    const wanted = formats.flatMap((format) => [`${format} SIGTERM`, `${format} SIGKILL`]);
    expect(found.toSorted()).toEqual(wanted.toSorted());
  });

  test.each(released)("$name holds what was acknowledged, and goes on from there", openGrowRestart);

  test.each(released)("$name stays what it is until its operator raises it", stayAndRaise);
});

describe("a directory whose broker was killed", () => {
  const killed = released.filter(({ expected }) => expected.end === "SIGKILL");

  test.each(killed)("$name has records in its journal only", (fixture) =>
    withCopy(fixture, async (directory) => {
      rmSync(join(directory, "journal"), { recursive: true });
      await withBroker(directory, "SIGKILL", async (client) => {
        const found = await observe(client, middleTimestamp);
        const { observation } = fixture.expected;
        expect(endOffset(found, "payments", 0)).toBeLessThan(endOffset(observation, "payments", 0));
        expect(endOffset(found, "orders", 0)).toBe(endOffset(observation, "orders", 0));
      });
    }),
  );

  test.each(killed)("$name is refused if its journal is of a newer format", (fixture) =>
    withCopy(fixture, async (directory) => {
      raiseJournalVersion(directory);
      const { exitCode, stderr } = await startRefused(directory);
      expect(stderr).toMatch(/journal.*newer/);
      expect(stderr).not.toMatch(/^\s+at /m);
      expect(exitCode).toBe(1);
    }),
  );
});

/** The first object of the one journal file, with the next version and the CRC that belongs to it. */
function raiseJournalVersion(directory: string): void {
  const [file = ""] = readdirSync(join(directory, "journal"), { recursive: true })
    .map(String)
    .filter((name) => name.endsWith(".journal"));
  const path = join(directory, "journal", file);
  const bytes = readFileSync(path);
  bytes.writeUInt16BE(bytes.readUInt16BE(4) + 1, 4);
  bytes.writeUInt32BE(crc32c(bytes.subarray(0, 76)), 76);
  writeFileSync(path, bytes);
}

async function changeItem(directory: string, key: string, value: ItemValue): Promise<void> {
  const store = LmdbMetadataStore.open(join(directory, "metadata"));
  await store.transact([{ kind: "put", key, value }]);
  await store.close();
}

async function leadershipVersion(directory: string): Promise<number | undefined> {
  const store = LmdbMetadataStore.open(join(directory, "metadata"));
  const item = await store.get(keys.leadership);
  await store.close();
  return item?.version;
}

describe("a data directory that a newer Millrace has written", () => {
  const slots = 1024;
  const clusterId = "Gr5meN6FKAP3ehL-pZfZIQ";
  const newer = formatVersion + 1;
  test.each([
    {
      what: "whose format is newer",
      key: keys.format,
      value: { version: newer, clusterId, slots },
      says: new RegExp(`format ${newer}\\b.*newer version`, "s"),
    },
    {
      what: "whose finalised millrace.version is newer",
      key: keys.features,
      value: { "millrace.version": 99 },
      says: /millrace\.version is finalised at 99; this version supports/,
    },
    {
      what: "that finalised no millrace.version",
      key: keys.features,
      value: {},
      says: /millrace\.version is finalised at 0; this version supports/,
    },
  ])("$what is refused in words, and left as it is", async ({ key, says, value }) => {
    const [fixture] = released;
    if (fixture === undefined) throw new Error("no format was released");
    await withCopy(fixture, async (directory) => {
      await changeItem(directory, key, value);
      const before = await leadershipVersion(directory);
      const { exitCode, stderr } = await startRefused(directory);
      expect(stderr).toMatch(says);
      expect(stderr).not.toMatch(/^\s+at /m);
      expect(exitCode).toBe(1);
      expect(await leadershipVersion(directory)).toBe(before);
    });
  });
});
