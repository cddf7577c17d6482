import { perBrokerHour, type Usage } from "./counts.ts";
import { GroupLoad, type GroupLoadOptions } from "./group-load.ts";
import { MeteredCluster } from "./metered-cluster.ts";
import { ProduceLoad, type ProduceLoadOptions } from "./produce-load.ts";

/** Past it a broker's first look for objects that nobody names is over; the next is a day later. */
const settledMs = 180_000;
const megabyte = 1e6;
/** Of a producer that fills its batches (`batch.size` by default). */
const fullBatchBytes = 16_384;
const batchOverheadBytes = 75;

export interface Scenario {
  /** In the words of docs/cost.md. */
  readonly name: string;
  readonly brokers: number;
  /** Virtual minutes under load before anything is counted, and while it is. */
  readonly warmUpMinutes: number;
  readonly minutes: number;
  readonly load: Load;
}

export type Load =
  | { readonly kind: "idle" }
  | ({ readonly kind: "produce" } & Pick<
      ProduceLoadOptions,
      "partitions" | "batchesPerSecond" | "valueBytes"
    >)
  | ({ readonly kind: "group" } & Pick<
      GroupLoadOptions,
      "partitions" | "members" | "commitEveryMs"
    >);

export interface Measured {
  readonly scenario: Scenario;
  /** Of one broker, the mean of all. */
  readonly perHour: Usage;
  /** Of the broker that coordinates the group; the mean of all without one. */
  readonly busiestPerHour: Usage;
  /** All of the first broker, from its start until the load began, and from then on until counted. */
  readonly start: Usage;
  readonly warmUp: Usage;
  /** Written by producers, to all brokers together. */
  readonly bytesPerSecond: number;
  /** Of the journals, at the end of the count; the largest. */
  readonly untrimmedBytes: number;
}

export async function measure(scenario: Scenario): Promise<Measured> {
  const cluster = await MeteredCluster.start(scenario.brokers);
  const start = cluster.takeOfFirst();
  await cluster.advance(settledMs);
  cluster.takeOfFirst();
  const load = await begin(cluster, scenario.load);
  await cluster.advance(scenario.warmUpMinutes * 60_000);
  const warmUp = cluster.takeOfFirst();
  const usages = await cluster.measure(scenario.minutes);
  const untrimmed = cluster.brokers.map(({ broker }) => broker.partitions.journal.untrimmedBytes);
  await load.stop();
  await cluster.close();
  const hours = usages.map((usage) => perBrokerHour([usage], scenario.minutes));
  const isGroup = scenario.load.kind === "group";
  const mean = perBrokerHour(usages, scenario.minutes);
  const [first = mean, ...others] = hours;
  const busiest = others.reduce((most, one) => (unitsOf(one) > unitsOf(most) ? one : most), first);
  return {
    ...{ scenario, start, warmUp, perHour: mean, bytesPerSecond: load.bytesPerSecond },
    busiestPerHour: isGroup ? busiest : mean,
    untrimmedBytes: Math.max(...untrimmed),
  };
}

interface Running {
  readonly bytesPerSecond: number;
  stop(): Promise<void>;
}

async function begin(cluster: MeteredCluster, load: Load): Promise<Running> {
  if (load.kind === "idle") return { bytesPerSecond: 0, stop: () => Promise.resolve() };
  const topic = "orders";
  await cluster.createTopic(topic, load.partitions);
  if (load.kind === "produce") {
    const producing = new ProduceLoad(cluster, { topic, ...load });
    producing.start();
    return { bytesPerSecond: producing.bytesPerSecond, stop: () => producing.stop() };
  }
  const group = new GroupLoad(cluster, { topic, group: "billing", ...load });
  await group.start();
  return { bytesPerSecond: 0, stop: () => Promise.resolve(group.stop()) };
}

function unitsOf({ all }: Usage): number {
  return all.writeUnits;
}

/** Full batches to so many partitions in turn. */
export function fullBatches(megabytesPerSecond: number, partitions: number): Load {
  const batchesPerSecond = (megabytesPerSecond * megabyte) / fullBatchBytes;
  const valueBytes = fullBatchBytes - batchOverheadBytes;
  return { kind: "produce", partitions, batchesPerSecond, valueBytes };
}

/** One record of 100 bytes a minute to each partition. */
export function trickle(partitions: number): Load {
  return { kind: "produce", partitions, batchesPerSecond: partitions / 60, valueBytes: 100 };
}

export const consumerGroup: Load = {
  kind: "group",
  partitions: 100,
  members: 30,
  commitEveryMs: 5_000,
};

/** Four threads with three partitions each, all of which move between two commits. */
export const streamsApplication: Load = {
  kind: "group",
  partitions: 12,
  members: 4,
  commitEveryMs: 100,
};
