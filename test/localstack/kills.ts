/**
 * Brokers are killed in the midst of writing and committing, and their disks are taken. What clients
 * were told is held against what the log has in the end, by the durability lane's checker.
 */
import type { MillraceClient } from "../../sdk/src/index.ts";
import { checkHistory, type Verdict } from "../durability/check-history.ts";
import { type Login, readAll, sdkClient } from "./clients.ts";
import type { LocalDeployment } from "./deployment.ts";
import { KillReader } from "./kill-reader.ts";
import { type KillTarget, KillWriter } from "./kill-writer.ts";
import { equal, sleep, step, until } from "./steps.ts";

const topic = "kills";
const group = "kill-readers";
const partitions = [0, 1, 2];
/** Of each partition, before a kill. */
const acknowledgedMin = 50;
/** A kill comes at any point of a group commit. */
const atAnyTimeMs = 300;
const anomaliesShownMax = 10;

interface Place {
  readonly cluster: string;
  readonly login: Login;
}

interface Load {
  readonly client: MillraceClient;
  readonly writer: KillWriter;
  readonly reader: KillReader;
  readonly target: KillTarget;
}

export async function killOften(
  deployment: LocalDeployment,
  place: Place,
  kills: number,
): Promise<void> {
  if (kills === 0) return;
  await using client = sdkClient(place.login);
  await client.admin.createTopic(topic, { partitions: partitions.length });
  const target: KillTarget = { topic, partitions: partitions.length, history: [] };
  const writer = new KillWriter(client, target);
  const reader = new KillReader(client, { ...target, group });
  const load = { client, writer, reader, target };
  try {
    for (let kill = 1; kill <= kills; kill += 1) {
      await step(`kill ${kill} of ${kills}: the disk is gone, and nothing acknowledged is`, () =>
        killOnce(deployment, place, load),
      );
    }
    await step("of what was acknowledged nothing is lost, twice there, or out of its order", () =>
      judge(place, load),
    );
  } finally {
    // What failed must not go on: who closes the client waits for what is sent.
    await Promise.allSettled([writer.stop(), reader.stop()]);
  }
}

async function killOnce(
  deployment: LocalDeployment,
  { cluster, login }: Place,
  { reader, target, writer }: Load,
): Promise<void> {
  await untilBothGoOn(writer, reader);
  await sleep(Math.random() * atAnyTimeMs);
  while (writer.unanswered === 0) await sleep(1);
  const inFlight = writer.unanswered;
  const before = partitions.map((partition) => reader.committed(partition));
  reader.holdCommits();
  // In this very turn: what is in flight now has no answer yet.
  await deployment.killAndTakeDisk(cluster, 1);
  await deployment.sweep();
  await reader.commitsAnswered();
  target.history.push(...(await committedEvents(login)));
  // From a broker without a disk, and all that was acknowledged by now.
  const history = [...target.history];
  noAnomaly(checkHistory(history, await drained(login)));
  reader.resumeCommits();
  process.stdout.write(`     ${inFlight} in flight, committed: ${before.join(", ")}\n`);
}

/** The same producer and the same member, after whatever was done to their broker. */
async function untilBothGoOn(writer: KillWriter, reader: KillReader): Promise<void> {
  const acknowledged = [...writer.acknowledged];
  const committed = partitions.map((partition) => reader.committed(partition));
  await until("records were acknowledged, and offsets committed, of each partition", () =>
    partitions.every(
      (at) =>
        (writer.acknowledged[at] ?? 0) >= (acknowledged[at] ?? 0) + acknowledgedMin &&
        reader.committed(at) > (committed[at] ?? 0),
    ),
  );
}

/** What the group has committed, as somebody hears who asks for the first time. */
async function committedEvents(login: Login): Promise<readonly string[]> {
  await using client = sdkClient(login);
  let events: readonly string[] = [];
  await until("the coordinator says what the group committed", async () => {
    const found = await client.admin.committedOffsets(group).catch(() => undefined);
    const offsetOf = (partition: number): number =>
      found?.find((one) => one.topic === topic && one.partition === partition)?.offset ?? -1;
    events = partitions.map((partition) => `F ${partition} ${offsetOf(partition)}`);
    return found !== undefined;
  });
  return events;
}

async function judge({ login }: Place, { client, reader, target, writer }: Load): Promise<void> {
  await writer.stop();
  equal(writer.refusals.join(", "), "");
  const ends = await client.admin.offsets(topic, "latest");
  await until("the group has committed everything", () =>
    ends.every(({ offset, partition }) => reader.committed(partition) === offset),
  );
  await reader.stop();
  target.history.push(...(await committedEvents(login)));
  const found = await drained(login);
  const verdict = checkHistory(target.history, found);
  noAnomaly(verdict);
  const { acknowledged, commits, polled, stored } = verdict;
  equal(reader.valuesRead, stored);
  process.stdout.write(
    `     ${acknowledged} acknowledged, ${stored} stored, ${polled} read by the group, ${commits} commits\n`,
  );
}

/** Every partition from its beginning, in the events of `test/durability/drain.py`. */
async function drained(login: Login): Promise<readonly string[]> {
  const found = await readAll(login, topic);
  return found.map(({ offset, partition, value }) => `R ${partition} ${offset} ${value}`);
}

function noAnomaly({ anomalies }: Verdict): void {
  const some = anomalies.slice(0, anomaliesShownMax);
  const more = anomalies.length > some.length ? `, and ${anomalies.length - some.length} more` : "";
  equal(some.map(({ detail, rule }) => `${rule}: ${detail}`).join("; ") + more, "");
}
