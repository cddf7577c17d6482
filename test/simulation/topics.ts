import type { Durability } from "./admin.ts";
import type { World } from "./world.ts";

/** What may be deleted of a topic's records: none, what DeleteRecords names, or by retention. */
export type Deletion = "nothing" | "records" | "retention";

export interface SimulatedTopic {
  readonly name: string;
  readonly partitions: number;
  readonly deletion: Deletion;
  /** Whether its log goes into the object store. */
  readonly isTiered: boolean;
  readonly configs: Readonly<Record<string, string>>;
}

/** Nobody waits in a run for members that might still join, or minutes for retention. */
export const brokerConfigs: Readonly<Record<string, string>> = {
  "group.initial.rebalance.delay.ms": "300",
  "millrace.slots": "16",
  "log.retention.check.interval.ms": "2500",
  // Where topics are tiered by default; the store itself is handed to the broker.
  "millrace.object.store": "file:/simulated",
};

/** The topics that are there for the whole of a run. */
export function mainTopics(world: World, durability: Durability): readonly SimulatedTopic[] {
  return [
    topic(world, {
      name: "orders",
      partitions: 2,
      deletion: "records",
      isTiered: true,
      durability,
    }),
    topic(world, {
      ...{ name: "payments", partitions: 1, deletion: "nothing", durability },
      isTiered: world.chance(700),
    }),
    topic(world, {
      ...{ name: "events", partitions: 1, deletion: "retention", durability },
      isTiered: world.chance(800),
    }),
  ];
}

/** One that comes and goes. */
export function scratchTopic(world: World, name: string, durability: Durability): SimulatedTopic {
  const isTiered = world.chance(800);
  return topic(world, { name, partitions: 2, deletion: "nothing", isTiered, durability });
}

function topic(
  world: World,
  how: Omit<SimulatedTopic, "configs"> & { readonly durability: Durability },
): SimulatedTopic {
  const { durability, ...rest } = how;
  const configs = {
    "millrace.durability": durability,
    "segment.ms": String(world.between(300, 6_000)),
    "segment.index.bytes": String(8 * world.between(2, 30)),
    "index.interval.bytes": String(world.pick([0, 100, 400, 2_000])),
    "flush.messages": String(world.pick([1, 10, 1_000_000])),
    "flush.ms": String(world.pick([50, 1_000, 1_000_000])),
    "remote.storage.enable": String(rest.isTiered),
    ...(rest.isTiered ? localRetention(world) : {}),
    ...(rest.deletion === "retention" ? retention(world) : {}),
  };
  return { ...rest, configs };
}

/** What stays hot is little, so that most is read from the object store. */
function localRetention(world: World): Readonly<Record<string, string>> {
  return {
    "local.retention.ms": String(world.pick([-2, 1, 1_000, 4_000])),
    "local.retention.bytes": String(world.pick([-2, 0, 1_500])),
  };
}

function retention(world: World): Readonly<Record<string, string>> {
  return {
    "retention.ms": String(world.pick([5_000, 20_000, -1])),
    "retention.bytes": String(world.pick([-1, 3_000, 12_000])),
  };
}
