/**
 * The life of one topic: producers write to it, members of a group join, leave and are killed while
 * they read it, and in the end everything acknowledged has been read. Then the topic and the group
 * are deleted, so that what they took has to come back.
 */
import type { Random } from "@millrace/core";
import { createTopic, deleteTopic, waitUntilServed } from "../bench/topics.ts";
import { withClient } from "../fixtures/wire-client.ts";
import { pause } from "./churn.ts";
import { Coverage } from "./coverage.ts";
import { endLoadClient, type LoadClient, startLoadClient } from "./load-client.ts";

export interface LifePlan {
  readonly topic: string;
  readonly python: string;
  readonly port: number;
  readonly policy: "local" | "journal";
  readonly bytesPerSecond: number;
  readonly seconds: number;
  readonly random: Random;
}

export interface LifeCounts {
  acknowledged: number;
  stored: number;
  joins: number;
  leaves: number;
  kills: number;
  readonly violations: string[];
}

interface Life extends LifePlan {
  readonly counts: LifeCounts;
  readonly coverage: Coverage;
  readonly acknowledged: Map<number, number>;
  readonly clients: Set<LoadClient>;
}

/** Idempotent producers write to the first four, a plain one to two, and killed ones to the last. */
const partitionCount = 7;
const checkedPartitions = 4;
const killedPartition = 6;
const membersMin = 2;
const membersMax = 5;
const stepMs = 4_000;
const catchUpMsMax = 90_000;

export async function live(plan: LifePlan): Promise<LifeCounts> {
  const counts: LifeCounts = {
    acknowledged: 0,
    stored: 0,
    joins: 0,
    leaves: 0,
    kills: 0,
    violations: [],
  };
  const life: Life = {
    ...plan,
    counts,
    coverage: new Coverage(),
    acknowledged: new Map(),
    clients: new Set(),
  };
  const { topic, port, policy } = plan;
  await withClient(port, async (client) => {
    await createTopic(client, {
      topic,
      partitionCount,
      configs: { "millrace.durability": policy },
    });
    await waitUntilServed(client, { topic, partitionCount });
  });
  try {
    await load(life);
  } finally {
    for (const { child } of life.clients) child.kill("SIGKILL");
  }
  await withClient(port, async (client) => {
    await deleteTopic(client, topic);
    const { results } = await client.ask(42, 1, { groupsNames: [topic] });
    const [result] = results;
    if (result?.errorCode !== 0) counts.violations.push(`${topic}: group: ${result?.errorCode}`);
  });
  return counts;
}

async function load(life: Life): Promise<void> {
  const share = Math.floor(life.bytesPerSecond / 3);
  const producers = [
    produce(life, "0,1", share, "enable.idempotence=true,compression.type=lz4"),
    produce(life, "2,3", share, "enable.idempotence=true,compression.type=none"),
    produce(life, "4,5", share, "acks=all,compression.type=zstd"),
  ];
  const members: LoadClient[] = [];
  for (let i = 0; i < membersMin; i += 1) members.push(joinGroup(life));
  const deadline = performance.now() + life.seconds * 1000;
  while (performance.now() < deadline) {
    const doomed = produce(life, String(killedPartition), share / 4, "enable.idempotence=true");
    await pause(stepMs / 2 + life.random.below(stepMs));
    doomed.child.kill("SIGKILL");
    await changeMembers(life, members);
  }
  for (const producer of producers) await endLoadClient(producer);
  await caughtUp(life);
  for (const member of members) await endLoadClient(member);
}

function joinGroup(life: Life): LoadClient {
  life.counts.joins += 1;
  return start(life, ["member", address(life), life.topic, life.topic, String(checkedPartitions)]);
}

async function changeMembers(life: Life, members: LoadClient[]): Promise<void> {
  const choice = life.random.below(3);
  if (members.length <= membersMin || (choice === 0 && members.length < membersMax)) {
    members.push(joinGroup(life));
    return;
  }
  const [member] = members.splice(life.random.below(members.length), 1);
  if (member === undefined) return;
  if (choice === 1) {
    life.counts.leaves += 1;
    await endLoadClient(member);
  } else {
    life.counts.kills += 1;
    member.child.kill("SIGKILL");
  }
}

function produce(
  life: Life,
  partitions: string,
  bytesPerSecond: number,
  settings: string,
): LoadClient {
  const seed = life.random.below(2 ** 31);
  const load = [partitions, String(Math.floor(bytesPerSecond)), String(seed), settings];
  return start(life, ["produce", address(life), life.topic, ...load]);
}

function address(life: Life): string {
  return `127.0.0.1:${life.port}`;
}

function start(life: Life, args: readonly string[]): LoadClient {
  const client = startLoadClient(life.python, args, (line) => hear(life, line));
  life.clients.add(client);
  void client.ended.then(() => life.clients.delete(client));
  return client;
}

function hear(life: Life, line: string): void {
  const [kind, ...words] = line.split(" ");
  const [partition = 0, first = 0, second = 0] = words.map(Number);
  if (kind === "A") life.acknowledged.set(partition, first);
  else if (kind === "R") life.coverage.add(partition, first, second);
  else life.counts.violations.push(`${life.topic}: ${line}`);
}

/** Waits until the members together got every offset; says what is missing when they don't. */
async function caughtUp(life: Life): Promise<void> {
  const ends = await endOffsets(life);
  const { counts, coverage } = life;
  checkAcknowledged(life, ends);
  const deadline = performance.now() + catchUpMsMax;
  const missing = (): readonly string[] =>
    ends.flatMap((end, partition) => {
      const covered = coverage.coveredTo(partition);
      return covered < end ? [`${life.topic}-${partition}: read to ${covered} of ${end}`] : [];
    });
  while (missing().length > 0 && performance.now() < deadline) await pause(200);
  counts.violations.push(...missing());
}

function checkAcknowledged({ counts, acknowledged, topic }: Life, ends: readonly number[]): void {
  for (const [partition, end] of ends.entries()) {
    counts.stored += end;
    const acked = acknowledged.get(partition) ?? 0;
    counts.acknowledged += acked;
    if (partition === killedPartition) continue;
    const isExact = partition < checkedPartitions;
    if (isExact ? end === acked : end >= acked) continue;
    counts.violations.push(`${topic}-${partition}: ${acked} acknowledged, ${end} stored`);
  }
}

function endOffsets({ port, topic }: Life): Promise<readonly number[]> {
  return withClient(port, async (client) => {
    const partitions = Array.from({ length: partitionCount }, (_, partitionIndex) => ({
      ...{ partitionIndex, timestamp: -1n },
    }));
    const { topics } = await client.ask(2, 5, {
      replicaId: -1,
      topics: [{ name: topic, partitions }],
    });
    const answered = topics[0]?.partitions ?? [];
    const ends = answered.map(({ offset }) => Number(offset));
    if (ends.length !== partitionCount) throw new Error(`${topic}: ${ends.length} end offsets`);
    return ends;
  });
}
