/**
 * The cluster that a broker belongs to, as the control plane's API shows clusters. There is this one,
 * and nothing makes, changes or deletes it from here.
 */
import type { ShownClusters, ClusterRecord, OperationCatalogue } from "@millrace/control-api";
import { limitConfigs } from "@millrace/control-api";
import { clusterId, type Hashing, type MetadataStore, utf8Bytes } from "@millrace/core";
import type { Broker } from "../../broker.ts";
import type { AdvertisedListener } from "../../handlers/handler.ts";

/** Crockford's base32. */
const digits = "0123456789abcdefghjkmnpqrstvwxyz";
const idDigits = 16;
const ownKey = "control/ownCluster";
/** A broker is one event loop: one core, in ECS's units. */
const cpuUnits = 1_024;

export interface OwnClusterDependencies {
  readonly store: MetadataStore;
  readonly hashing: Hashing;
  readonly wallMs: () => number;
  readonly memoryMiB: number;
  /** Of the life that the process is in. */
  readonly broker: () => Pick<Broker, "cluster" | "settings" | "view">;
  /** The one that clients are meant to use. */
  readonly listener: () => AdvertisedListener;
  /** The configuration's entries, by their keys. */
  readonly configs: ReadonlyMap<string, string>;
}

/** Throws MetadataError. */
export async function readOwnCluster(deps: OwnClusterDependencies): Promise<ClusterRecord> {
  const { cluster, settings, view } = deps.broker();
  const endpoints = view.endpoints(deps.listener());
  const limits = limitConfigs.flatMap((name): readonly (readonly [string, string])[] => {
    const value = deps.configs.get(name);
    return value === undefined ? [] : [[name, value]];
  });
  return {
    id: clusterId(`cl_${digitsOf(deps.hashing, cluster.clusterId)}`),
    ...{ name: "own", state: "active", revision: 1, version: 1 },
    spec: {
      brokers: endpoints.length,
      brokerSize: { cpu: cpuUnits, memoryMiB: deps.memoryMiB },
      limits: Object.fromEntries(limits),
    },
    deletionProtection: true,
    durability: settings.durability === "local" ? "local" : "journal",
    createdAtMs: await knownSinceMs(deps),
    addresses: endpoints.map(({ brokerId, host, port }) => ({ broker: brokerId, host, port })),
  };
}

export function ownClusterCatalogue(read: () => Promise<ClusterRecord>): ShownClusters {
  const never = (): Promise<never> => Promise.reject(new Error("a broker makes no clusters"));
  const ifIt = async (
    isIt: (own: ClusterRecord) => boolean,
  ): Promise<ClusterRecord | undefined> => {
    const own = await read();
    return isIt(own) ? own : undefined;
  };
  return {
    find: (id) => ifIt((own) => own.id === id),
    findByName: (name) => ifIt((own) => own.name === name),
    list: async ({ after }) => ({ items: after === undefined ? [await read()] : [] }),
    ...{ create: never, change: never, remove: never, retry: never, upgrade: never },
  };
}

export const noOperations: OperationCatalogue = {
  find: () => Promise.resolve(undefined),
  list: () => Promise.resolve({ items: [] }),
};

/** The same for every broker of the cluster, and for every start. */
function digitsOf(hashing: Hashing, clusterId: string): string {
  const bytes = hashing.digest("SHA-256", utf8Bytes(clusterId));
  return Array.from(bytes.subarray(0, idDigits), (byte) => digits.charAt(byte % 32)).join("");
}

/** No broker remembers when its cluster was made: since when the API knows it is what can be said. */
async function knownSinceMs({ store, wallMs }: OwnClusterDependencies): Promise<number> {
  const found = await store.get(ownKey);
  const known = found?.value["knownSinceMs"];
  if (typeof known === "number") return known;
  const value = { knownSinceMs: wallMs() };
  await store.transact([{ kind: "put", key: ownKey, value, condition: { is: "absent" } }]);
  const written = (await store.get(ownKey))?.value["knownSinceMs"];
  return typeof written === "number" ? written : value.knownSinceMs;
}
