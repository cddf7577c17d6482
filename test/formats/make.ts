/**
 * Makes the two fixtures of the present format: `node test/formats/make.ts`. See README.md for when.
 *
 * Both directories see two lives of a broker. The first is ended by SIGTERM; the second by SIGTERM
 * in the one, by SIGKILL in the other, which then also loses what was never synced of its journaled
 * partitions, as with a loss of power: only its journal still has it.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatVersion } from "@millrace/core";
import { ApiKey } from "@millrace/wire";
import { pack } from "./archive.ts";
import { startBroker } from "./broker-process.ts";
import {
  type ConfigChange,
  createTopic,
  discardedTopic,
  fillTopic,
  type IdempotentProducer,
  middleTimestamp,
  newProducer,
  produceNext,
  setConfig,
  topicsToMake,
} from "./contents.ts";
import { archiveName, type Expected, expectedName, releasedDirectory } from "./fixtures.ts";
import {
  commitOffset,
  formWideGroup,
  join as joinGroup,
  offsetGroups,
  reader,
  sync,
} from "./group-contents.ts";
import { type Observation, observe } from "./observe.ts";
import { WireClient } from "../fixtures/wire-client.ts";

/** A fixture's part in the repository. */
const archiveBytesMax = 300_000;
const producerPlaces = [
  { topic: "orders", partition: 0 },
  { topic: "payments", partition: 0 },
];
const lockFile = "lock.mdb";

interface FirstLife {
  readonly producers: readonly IdempotentProducer[];
  readonly deletedTopicId: string;
}

async function firstLife([client]: Clients): Promise<FirstLife> {
  for (const topic of [...topicsToMake, discardedTopic]) {
    await createTopic(client, topic);
    await fillTopic(client, topic, 1);
  }
  const producers: IdempotentProducer[] = [];
  for (const place of producerPlaces) {
    producers.push(await produceNext(client, await newProducer(client, place), 3));
  }
  const metadata = await client.ask(ApiKey.Metadata, 12, { topics: null });
  const discarded = metadata.topics.find((topic) => topic.name === discardedTopic.name);
  if (discarded === undefined) throw new Error("the topic to delete is not there");
  const deletion = { topicNames: [discardedTopic.name], timeoutMs: 5_000 };
  const deleted = await client.ask(ApiKey.DeleteTopics, 5, deletion);
  if (deleted.responses[0]?.errorCode !== 0) throw new Error(JSON.stringify(deleted));
  await setConfigs(client);
  for (const groupId of offsetGroups) {
    const commit = { topic: "payments", partition: 1, offset: 3, metadata: "first life" };
    await commitOffset(client, groupId, commit);
  }
  return { producers, deletedTopicId: discarded.topicId };
}

async function setConfigs(client: WireClient): Promise<void> {
  const own = { resourceType: 4, resourceName: await ownId(client) };
  const all = { resourceType: 4, resourceName: "" };
  const topic = { resourceType: 2, resourceName: "profiles" };
  await setConfig(client, { ...all, name: "message.max.bytes", value: "2000000" });
  await setConfig(client, { ...own, name: "log.cleaner.threads", value: "2" });
  await setConfig(client, { ...topic, name: "min.compaction.lag.ms", value: "1000" });
}

/** Each change of policy is an entry in the journal. */
async function switchPolicies(client: WireClient, topicName: string): Promise<void> {
  const topic = topicsToMake.find(({ name }) => name === topicName);
  if (topic === undefined) throw new Error(`${topicName} is not made`);
  for (const value of ["journal", "local"]) {
    await setConfig(client, durability(topicName, value));
    await fillTopic(client, topic, 2);
  }
}

function durability(resourceName: string, value: string): ConfigChange {
  return { resourceType: 2, resourceName, name: "millrace.durability", value };
}

async function ownId(client: WireClient): Promise<string> {
  const metadata = await client.ask(ApiKey.Metadata, 12, { topics: [] });
  return String(metadata.controllerId);
}

interface SecondLife {
  readonly producers: readonly IdempotentProducer[];
  readonly generation: number;
  readonly observation: Observation;
}

/** `journaledOnly` is called when what follows in these topics goes to the journal. */
async function secondLife(
  [client, other]: Clients,
  before: readonly IdempotentProducer[],
  journaledOnly: (topicNames: readonly string[]) => Promise<void>,
): Promise<SecondLife> {
  for (const name of ["switched", "switched-back"]) await switchPolicies(client, name);
  await setConfig(client, durability("switched", "journal"));
  await journaledOnly(["payments", "switched"]);
  for (const topic of topicsToMake) await fillTopic(client, topic, 2);
  const producers: IdempotentProducer[] = [];
  for (const producer of before) producers.push(await produceNext(client, producer, 4));
  const [group = ""] = offsetGroups;
  await commitOffset(client, group, { topic: "orders", partition: 1, offset: 41, metadata: "é" });
  const joined = await joinGroup(client, reader);
  if (joined.errorCode !== 0) throw new Error(`JoinGroup: error ${joined.errorCode}`);
  await sync(client, joined, [{ memberId: joined.memberId, partitions: [0, 1, 2] }]);
  await formWideGroup(client, other);
  const observation = await observe(client, middleTimestamp);
  return { producers, generation: joined.generation, observation };
}

/** Two connections: of two members that join, both wait for each other. */
type Clients = readonly [WireClient, WireClient];

async function inOneLife<Result>(
  directory: string,
  signal: "SIGTERM" | "SIGKILL",
  use: (clients: Clients) => Promise<Result>,
): Promise<Result> {
  const broker = await startBroker(directory);
  try {
    const clients: Clients = [
      await WireClient.open(broker.port),
      await WireClient.open(broker.port),
    ];
    const result = await use(clients);
    for (const client of clients) client.close();
    return result;
  } finally {
    await broker.end(signal);
  }
}

/** Each segment of a topic's partitions, with its length. */
function segmentLengths(directory: string, topicId: string): ReadonlyMap<string, number> {
  const partitions = join(directory, "partitions");
  const paths = readdirSync(partitions)
    .filter((name) => name.startsWith(`${topicId}-`))
    .flatMap((name) =>
      readdirSync(join(partitions, name)).map((file) => join(partitions, name, file)),
    )
    .filter((path) => path.endsWith(".log"));
  return new Map(paths.map((path) => [path, statSync(path).size]));
}

function loseUnsynced(lengths: ReadonlyMap<string, number>): void {
  for (const [path, length] of lengths) {
    if (statSync(path).size <= length) throw new Error(`${path} was not written to`);
    truncateSync(path, length);
  }
}

async function make(name: string, end: "SIGKILL" | "SIGTERM"): Promise<void> {
  const target = join(releasedDirectory, name);
  if (existsSync(target)) throw new Error(`${target} is there; a released format never changes`);
  const directory = mkdtempSync(join(tmpdir(), "millrace-make-"));
  try {
    const { archive, expected } = await fill(directory, end);
    if (archive.length > archiveBytesMax) throw new Error(`${name} takes ${archive.length} bytes`);
    mkdirSync(target, { recursive: true });
    writeFileSync(join(target, archiveName), archive);
    writeFileSync(join(target, expectedName), `${JSON.stringify(expected, null, 2)}\n`);
    process.stdout.write(`${name}: ${archive.length} bytes\n`);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function fill(
  directory: string,
  end: "SIGKILL" | "SIGTERM",
): Promise<{ readonly archive: Uint8Array; readonly expected: Expected }> {
  const first = await inOneLife(directory, "SIGTERM", firstLife);
  const whole = new Map<string, number>();
  const second = await inOneLife(directory, end, (clients) =>
    secondLife(clients, first.producers, async (topicNames) => {
      const metadata = await clients[0].ask(ApiKey.Metadata, 12, { topics: null });
      const journaled = metadata.topics.filter(({ name }) => topicNames.includes(name ?? ""));
      for (const { topicId } of journaled) {
        for (const entry of segmentLengths(directory, topicId)) whole.set(...entry);
      }
    }),
  );
  if (end === "SIGKILL") loseUnsynced(whole);
  const manifest = join(import.meta.dirname, "../../package.json");
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { readonly version: string };
  const expected: Expected = {
    format: formatVersion,
    release: version,
    end,
    ...second,
    deletedTopic: { name: discardedTopic.name, topicId: first.deletedTopicId },
  };
  return { archive: pack(directory, new Set([lockFile])), expected };
}

await make(`format-${formatVersion}-closed`, "SIGTERM");
await make(`format-${formatVersion}-killed`, "SIGKILL");
