/**
 * Real clients over a topic that the object store alone has: librdkafka and Java write to it through
 * two lives of a broker, the folder of the local logs is lost, and each of them reads all of it.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ApiKey } from "@millrace/wire";
import { localLogBytes, loseLogs, objectBytes, objectsFolder } from "../../bench/tiers.ts";
import { kafkaDistribution } from "../../compat/peer.ts";
import { runOrThrow } from "../../compat/processes.ts";
import { PROGRAMS } from "../../compat/programs.ts";
import { withClient, type WireClient } from "../../fixtures/wire-client.ts";
import { type BrokerProcess, startBroker } from "../../formats/broker-process.ts";

const root = join(import.meta.dirname, "../../..");
const cache = join(root, ".cache/compat");
const programMsMax = 120_000;
const topic = "cold";
const partitions = [0, 1, 2];
const recordsOfEach = 2_000;
const [latest, earliest, earliestLocal] = [-1, -2, -4];

type Client = (args: readonly string[], broker: BrokerProcess) => Promise<readonly string[]>;

/** Where a partition ended in one life, and under which epoch it was appended to. */
interface Life {
  readonly epoch: number;
  readonly end: number;
}

let folder = "";
let librdkafka: Client;
let java: Client;
/** Of all that was acknowledged, as it is to be read: by partition, in the order of the offsets. */
let written: readonly (readonly string[])[] = [];
/** By partition. */
let lives: readonly (readonly Life[])[] = [];

function clientOf(file: string, start: readonly string[]): Client {
  return async (args, { port }) => {
    const all = [...start, `127.0.0.1:${port}`, topic, ...args];
    const said = await runOrThrow({ file, args: all, cwd: folder }, programMsMax);
    return said.split("\n").filter((line) => line !== "");
  };
}

async function installClients(): Promise<void> {
  const python = PROGRAMS.find(({ name }) => name === "python");
  if (python === undefined) throw new Error("the compatibility lane has no Python program");
  const { file } = await python.install(cache);
  librdkafka = clientOf(file, ["-B", join(import.meta.dirname, "cold_client.py")]);
  const libs = join(await kafkaDistribution(cache), "libs/*");
  const program = join(import.meta.dirname, "ColdClient.java");
  java = clientOf("java", ["-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", libs, program]);
}

async function during<Result>(use: (broker: BrokerProcess) => Promise<Result>): Promise<Result> {
  const settings = [`millrace.object.store=file:${objectsFolder({ directory: folder })}`];
  const broker = await startBroker(join(folder, "data"), settings);
  try {
    const result = await use(broker);
    expect(await broker.end("SIGTERM")).toBe(0);
    return result;
  } finally {
    await broker.end("SIGKILL");
  }
}

/** Offset and leader epoch, by partition. */
async function offsets(
  client: WireClient,
  timestamp: number,
): Promise<readonly (readonly [offset: number, epoch: number])[]> {
  const asked = partitions.map((partitionIndex) => {
    return { partitionIndex, currentLeaderEpoch: -1, timestamp: BigInt(timestamp) };
  });
  const request = {
    replicaId: -1,
    isolationLevel: 0,
    topics: [{ name: topic, partitions: asked }],
  };
  const { topics } = await client.ask(ApiKey.ListOffsets, 9, request);
  const answers = topics[0]?.partitions ?? [];
  expect(answers.map(({ errorCode }) => errorCode)).toEqual([0, 0, 0]);
  return answers.map(({ leaderEpoch, offset }) => [offset, leaderEpoch]);
}

async function createTopic(client: WireClient): Promise<void> {
  // The records' times are long ago.
  const configs = [{ name: "retention.ms", value: "-1" }];
  const shape = { numPartitions: partitions.length, replicationFactor: 1, assignments: [] };
  const topics = [{ name: topic, ...shape, configs }];
  const request = { topics, timeoutMs: 30_000, validateOnly: false };
  const answer = await client.ask(ApiKey.CreateTopics, 5, request);
  expect(answer.topics).toMatchObject([{ errorCode: 0 }]);
}

/** By partition, in the order of the lines. */
function byPartition(lines: readonly string[]): readonly (readonly string[])[] {
  return partitions.map((partition) => lines.filter((line) => line.startsWith(`${partition} `)));
}

function offsetOf(line: string): number {
  return Number(line.split(" ")[1]);
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "millrace-cold-"));
  await installClients();
  const write = (from: number, codec: string): readonly string[] => {
    return ["write", String(from), String(recordsOfEach), codec];
  };
  const lines: string[] = [];
  const ends: (readonly (readonly [number, number])[])[] = [];
  await during(async (broker) => {
    await withClient(broker.port, createTopic);
    lines.push(...(await librdkafka(write(0, "none"), broker)));
    lines.push(...(await java(write(0, "lz4"), broker)));
    ends.push(await withClient(broker.port, (client) => offsets(client, latest)));
  });
  await during(async (broker) => {
    lines.push(...(await java(write(recordsOfEach, "none"), broker)));
    lines.push(...(await librdkafka(write(recordsOfEach, "zstd"), broker)));
    ends.push(await withClient(broker.port, (client) => offsets(client, latest)));
  });
  lives = partitions.map((partition) =>
    ends.map((of) => ({ end: of[partition]?.[0] ?? NaN, epoch: of[partition]?.[1] ?? NaN })),
  );
  written = byPartition(lines).map((of) => of.toSorted((a, b) => offsetOf(a) - offsetOf(b)));
  expect(localLogBytes({ directory: folder })).toBeGreaterThan(1_000_000);
  await loseLogs({ directory: folder });
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Where the epochs of both lives ended. */
async function expectHistory(client: WireClient): Promise<void> {
  for (const [partition, of] of lives.entries()) {
    const asked = of.map(({ epoch: leaderEpoch }) => {
      return { partition, currentLeaderEpoch: -1, leaderEpoch };
    });
    const request = { replicaId: -1, topics: [{ topic, partitions: asked }] };
    const { topics } = await client.ask(ApiKey.OffsetForLeaderEpoch, 4, request);
    const told = topics[0]?.partitions.map(({ endOffset, leaderEpoch }) => {
      return { epoch: leaderEpoch, end: endOffset };
    });
    expect(told).toEqual(of);
  }
}

/** All of the log is there, and nothing of it is local. */
async function expectAllCold(client: WireClient): Promise<void> {
  const ends = lives.map((of) => of.at(-1)?.end);
  expect((await offsets(client, earliest)).map(([offset]) => offset)).toEqual([0, 0, 0]);
  expect((await offsets(client, latest)).map(([offset]) => offset)).toEqual(ends);
  expect((await offsets(client, earliestLocal)).map(([offset]) => offset)).toEqual(ends);
  expect(localLogBytes({ directory: folder })).toBe(0);
}

test("both clients wrote all of it, and the object store has it", () => {
  expect(written.flat()).toHaveLength(4 * recordsOfEach);
  for (const of of written)
    expect(of.map((line) => offsetOf(line))).toEqual(of.map((_, offset) => offset));
  expect(objectBytes({ directory: folder })).toBeGreaterThan(1_000_000);
});

test("where each epoch ended is known from the first start on that finds no local logs", async () => {
  await during(async ({ port }) => {
    await withClient(port, expectAllCold);
    await withClient(port, expectHistory);
  });
});

test.each(["librdkafka", "java"] as const)(
  "%s reads from the object store what both have written, in order",
  async (reader) => {
    const read = await during(async (broker) => {
      await withClient(broker.port, expectAllCold);
      await withClient(broker.port, expectHistory);
      const lines = await (reader === "java" ? java : librdkafka)(["read"], broker);
      expect(localLogBytes({ directory: folder })).toBe(0);
      return lines;
    });
    expect(byPartition(read)).toEqual(written);
  },
);
