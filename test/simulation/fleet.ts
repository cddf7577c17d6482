import { BrokerHost } from "./broker-host.ts";
import type { Brokers } from "./client.ts";
import { ClusterSteps } from "./cluster-steps.ts";
import { FaultTable } from "./fault-table.ts";
import type { Anomaly } from "./history.ts";
import type { Mutation } from "./life-ports.ts";
import type { Network, Pipe } from "./network.ts";
import {
  ObservedMetadataStore,
  ObservedObjectStore,
  type StoreObserver,
} from "./observed-stores.ts";
import type { Outside } from "./outside.ts";
import type { LinkedClient } from "./simulated-link.ts";
import { brokerConfigs } from "./topics.ts";
import type { World } from "./world.ts";

/** The brokers of a cluster, over one metadata store and one object store. */
export class Fleet implements Brokers {
  readonly are = "several";
  readonly world: World;
  readonly outside: Outside;
  readonly hosts: readonly BrokerHost[];

  constructor(options: {
    readonly world: World;
    readonly network: Network;
    /** So many have a machine; not all of them have to be there. */
    readonly brokers: number;
    readonly observer: StoreObserver;
    readonly mutation?: Mutation;
  }) {
    const { brokers, mutation, network, observer, world } = options;
    this.world = world;
    this.outside = {
      memoryStore: new ObservedMetadataStore(world.clock, observer),
      memoryObjects: new ObservedObjectStore(observer),
      ...{ named: new ClusterSteps(), table: new FaultTable(), anomalies: [] },
    };
    this.hosts = Array.from({ length: brokers }, (_, at) => {
      const brokerId = at + 1;
      const configs = { ...brokerConfigs, ...memberConfigs, "node.id": `${brokerId}` };
      return new BrokerHost({
        ...{ world, network, configs, member: { brokerId, outside: this.outside } },
        ...(mutation === undefined ? {} : { mutation }),
      });
    });
  }

  get table(): FaultTable {
    return this.outside.table;
  }

  get anomalies(): Anomaly[] {
    return this.outside.anomalies;
  }

  note(what: string): void {
    this.world.trace.add(`anomaly: ${what}`);
    this.anomalies.push({ kind: "internal", what });
  }

  /** Clients that name nobody try one after another of those that they were told of at first. */
  connect(client: LinkedClient, address?: string): Pipe | undefined {
    if (address === undefined) return this.world.pick(this.hosts).connect(client);
    return this.hosts.find(({ name }) => address.startsWith(`${name}:`))?.connect(client);
  }

  /** What each of them does, for who is stuck. */
  get states(): string {
    return this.hosts.map(({ name, state }) => `${name} ${state}`).join(", ");
  }

  abandon(): void {
    for (const host of this.hosts) host.abandon();
  }
}

/** The store itself is handed to the brokers. Five of them look around, so each does it less often. */
const memberConfigs: Readonly<Record<string, string>> = {
  "millrace.metadata.store": "unix:/simulated",
  "millrace.durability": "journal",
  "log.cleaner.backoff.ms": "1500",
  "log.retention.check.interval.ms": "5000",
};
