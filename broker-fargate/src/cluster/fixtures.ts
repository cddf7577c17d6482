import {
  FaultyMetadataStore,
  MemoryMetadataStore,
  type MetadataFaultRates,
  SeededRandom,
  VirtualClock,
} from "@millrace/adapter-memory";
import { Cluster, type Intent, type TopicOutcome } from "./cluster.ts";

/** A cluster over a store in memory, on virtual time, with faults that a test asks for. */
export interface TestCluster {
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  readonly memory: MemoryMetadataStore;
  readonly store: FaultyMetadataStore;
  readonly cluster: Cluster;
}

export interface TestClusterOptions {
  readonly seed?: number;
  /** What an earlier life left. */
  readonly memory?: MemoryMetadataStore;
  readonly rates?: MetadataFaultRates;
  readonly slots?: number;
  readonly configs?: ReadonlyMap<string, string>;
}

export async function openTestCluster(options: TestClusterOptions = {}): Promise<TestCluster> {
  const clock = new VirtualClock();
  const random = new SeededRandom(options.seed ?? 1);
  const memory = options.memory ?? new MemoryMetadataStore();
  const { rates, slots, configs } = options;
  const faults = { clock, random: random.fork(), ...(rates === undefined ? {} : { rates }) };
  const store = new FaultyMetadataStore(memory, faults);
  const opening = Cluster.open({
    ...{ store, clock, random, brokerId: 1 },
    ...(slots === undefined ? {} : { slots }),
    ...(configs === undefined ? {} : { configs }),
  });
  return { clock, random, memory, store, cluster: await settled(clock, opening) };
}

/** Lets virtual time pass until the promise settles; promise chains take no virtual time. */
export async function settled<Result>(
  clock: VirtualClock,
  promise: Promise<Result>,
): Promise<Result> {
  let isSettled = false;
  const note = (): void => {
    isSettled = true;
  };
  promise.then(note, note);
  for (;;) {
    await new Promise((resolve) => setImmediate(resolve));
    if (isSettled) return promise;
    if (!clock.fireNext()) throw new Error("nothing left to happen, and no answer");
  }
}

/** Creates a topic with as many partitions as asked, and nothing else of its own. */
export function createTopic(
  { clock, cluster }: Pick<TestCluster, "clock" | "cluster">,
  name: string,
  options: { readonly partitionCount?: number; readonly intent?: Intent } = {},
): Promise<TopicOutcome> {
  const { partitionCount = 1, intent = "perform" } = options;
  const request = { name, partitionCount, replicationFactor: 1, assignments: [], configs: [] };
  return settled(clock, cluster.createTopic(request, intent));
}
