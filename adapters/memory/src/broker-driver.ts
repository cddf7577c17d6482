import {
  type BrokerDriver,
  type BrokerSpec,
  type CertificateNames,
  clusterBrokersMax,
  type ClusterId,
  type ClusterPart,
  type ClusterStores,
  DriverError,
  type DriverResource,
  type MetadataStore,
  type ObjectStore,
  type ObservedBroker,
  type ObservedCluster,
  type Secret,
  type SecretName,
} from "@millrace/core";
import { MemoryMetadataStore } from "./metadata-store.ts";
import { MemoryObjectStore } from "./object-store.ts";

/** A broker that takes so many looks for each change of its state. */
interface Broker {
  revision: number;
  state: ObservedBroker["state"];
  looksLeft: number;
}

interface Cluster {
  store: ObservedCluster["store"];
  storeLooksLeft: number;
  readonly secrets: Map<SecretName, string>;
  readonly names: Set<number>;
  readonly brokers: Map<number, Broker>;
  metadata: MemoryMetadataStore;
  readonly objects: MemoryObjectStore;
}

export interface MemoryBrokerDriverOptions {
  /** How many looks it takes until what was begun is done. */
  readonly looks?: number;
  /** Asked at each start of a broker: whether it fails, and what it says. */
  readonly failure?: (broker: BrokerSpec) => string | undefined;
}

/** Clusters that exist in memory, and go on by one step with each look at them. */
export class MemoryBrokerDriver implements BrokerDriver, ClusterStores {
  readonly #looks: number;
  readonly #failure: NonNullable<MemoryBrokerDriverOptions["failure"]>;
  readonly #clusters = new Map<ClusterId, Cluster>();

  constructor({ failure = () => undefined, looks = 2 }: MemoryBrokerDriverOptions = {}) {
    this.#looks = looks;
    this.#failure = failure;
  }

  certificateNames(cluster: ClusterId): CertificateNames {
    const brokers = Array.from({ length: clusterBrokersMax }, (_, at) => at + 1);
    return { dnsNames: brokers.map((broker) => hostOf(cluster, broker)), ipAddresses: [] };
  }

  async ensureStore(id: ClusterId): Promise<void> {
    const cluster = this.#cluster(id);
    if (cluster.store === "removing") throw retriable("the store is being removed");
    if (cluster.store !== "absent") return;
    cluster.store = "creating";
    cluster.storeLooksLeft = this.#looks;
    cluster.metadata = new MemoryMetadataStore();
  }

  async putSecret(id: ClusterId, { name, over, value }: Secret): Promise<"kept" | "exists"> {
    const { secrets } = this.#cluster(id);
    if (over === "nothing" && secrets.has(name)) return "exists";
    secrets.set(name, value);
    return "kept";
  }

  async readSecret(id: ClusterId, name: SecretName): Promise<string | undefined> {
    return this.#cluster(id).secrets.get(name);
  }

  async ensureName(id: ClusterId, broker: number): Promise<void> {
    this.#cluster(id).names.add(broker);
  }

  async ensureBroker(id: ClusterId, spec: BrokerSpec): Promise<void> {
    const { brokers, names, secrets, store } = this.#cluster(id);
    if (store !== "ready" || !names.has(spec.broker) || !secrets.has("broker")) {
      const details = { retriable: false, applied: "no" } as const;
      throw new DriverError(`broker ${spec.broker} lacks what it needs`, details);
    }
    const found = brokers.get(spec.broker);
    if (found?.state === "stopping") {
      if (found.revision === spec.revision) throw retriable("the broker has not ended yet");
      return;
    }
    if (found?.revision === spec.revision && found.state !== "failed") return;
    if (found !== undefined && found.state !== "failed") {
      // The former one ends first; the caller comes again.
      found.state = "stopping";
      found.looksLeft = this.#looks;
      return;
    }
    const failure = this.#failure(spec);
    const state = failure === undefined ? "starting" : "failed";
    brokers.set(spec.broker, { revision: spec.revision, state, looksLeft: this.#looks });
  }

  async remove(id: ClusterId, part: ClusterPart): Promise<void> {
    const cluster = this.#cluster(id);
    switch (part.kind) {
      case "broker":
        removeBroker(cluster.brokers, part.broker, this.#looks);
        return;
      case "name":
        cluster.names.delete(part.broker);
        return;
      case "secret":
        cluster.secrets.delete(part.name);
        return;
      case "store":
        if (cluster.store === "absent" || cluster.store === "removing") return;
        cluster.store = "removing";
        cluster.storeLooksLeft = this.#looks;
    }
  }

  async observe(id: ClusterId): Promise<ObservedCluster> {
    const cluster = this.#cluster(id);
    goOn(cluster);
    const { brokers, names, secrets, store } = cluster;
    const ascending = <Value>(map: ReadonlyMap<number, Value>) =>
      [...map].toSorted(([a], [b]) => a - b);
    return {
      store,
      secrets: [...secrets.keys()],
      names: [...names]
        .toSorted((a, b) => a - b)
        .map((broker) => ({ broker, host: hostOf(id, broker), port: 9_098 })),
      brokers: ascending(brokers).map(([broker, { revision, state }]) => ({
        ...{ broker, revision, state },
      })),
    };
  }

  async list(): Promise<readonly DriverResource[]> {
    const found: DriverResource[] = [];
    for (const [id, { brokers, names, objects, secrets, store }] of this.#clusters) {
      const add = (kind: string, name: string) => found.push({ cluster: id, kind, name });
      for (const broker of brokers.keys()) add("broker", String(broker));
      for (const broker of names) add("name", String(broker));
      for (const name of secrets.keys()) add("secret", name);
      if (store !== "absent") add("store", id);
      const page = await objects.list({ prefix: "", limit: 1_000 });
      for (const { key } of page.objects) add("object", key);
    }
    return found;
  }

  async metadata(id: ClusterId): Promise<MetadataStore> {
    return withoutClose(this.#cluster(id).metadata);
  }

  async objects(id: ClusterId): Promise<ObjectStore> {
    return withoutClose(this.#cluster(id).objects);
  }

  /** A broker ends by itself. */
  fail(id: ClusterId, broker: number): void {
    const found = this.#cluster(id).brokers.get(broker);
    if (found !== undefined) found.state = "failed";
  }

  #cluster(id: ClusterId): Cluster {
    const found = this.#clusters.get(id) ?? {
      ...{ store: "absent", storeLooksLeft: 0, secrets: new Map(), names: new Set() },
      ...{ brokers: new Map(), metadata: new MemoryMetadataStore() },
      objects: new MemoryObjectStore(),
    };
    this.#clusters.set(id, found);
    return found;
  }
}

function hostOf(cluster: ClusterId, broker: number): string {
  return `b-${broker}.${cluster.replace("_", "-")}.test`;
}

function removeBroker(brokers: Map<number, Broker>, broker: number, looks: number): void {
  const found = brokers.get(broker);
  if (found === undefined || found.state === "stopping") return;
  if (found.state === "failed") {
    brokers.delete(broker);
    return;
  }
  found.state = "stopping";
  found.looksLeft = looks;
}

function goOn(cluster: Cluster): void {
  if (cluster.store === "creating" || cluster.store === "removing") {
    cluster.storeLooksLeft -= 1;
    const after = cluster.store === "creating" ? "ready" : "absent";
    if (cluster.storeLooksLeft < 0) cluster.store = after;
  }
  for (const [broker, one] of cluster.brokers) {
    one.looksLeft -= 1;
    if (one.looksLeft >= 0) continue;
    if (one.state === "starting") one.state = "ready";
    if (one.state === "stopping") cluster.brokers.delete(broker);
  }
}

/** Whoever opened it does not end what is in memory. */
function withoutClose<Store extends { close(): Promise<void> }>(store: Store): Store {
  return new Proxy(store, {
    get: (target, property) => {
      if (property === "close") return async () => undefined;
      const value: unknown = Reflect.get(target, property);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

function retriable(message: string): DriverError {
  return new DriverError(message, { retriable: true, applied: "no" });
}
