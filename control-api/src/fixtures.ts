/** The API over memory, for tests: one made cluster, brokers that are a table, and callers by role. */
import {
  inlineHashing,
  MemoryMetadataStore,
  SeededRandom,
  VirtualClock,
} from "@millrace/adapter-memory";
import { type ClusterId, clusterId, type MetadataStore } from "@millrace/core";
import { controlApp } from "./app.ts";
import type { App, ControlDependencies } from "./app-type.ts";
import type { ClusterOutcome, ClusterRecord, NewCluster } from "./clusters/cluster-record.ts";
import type { OperationRecord } from "./operations/operation-record.ts";
import { MemoryClusterAdmin } from "./memory-cluster-admin.ts";
import type { Principal, Role } from "./principal.ts";

export const madeId: ClusterId = clusterId("cl_0000000000000001");
export const noId: ClusterId = clusterId("cl_0000000000000009");

export function record(fields: Partial<ClusterRecord> = {}): ClusterRecord {
  return {
    ...{ id: madeId, name: "made", state: "active", revision: 1, version: 3 },
    spec: { brokers: 1, brokerSize: { cpu: 256, memoryMiB: 512 }, limits: {} },
    ...{ deletionProtection: true, durability: "journal", createdAtMs: 0 },
    addresses: [{ broker: 1, host: "b-1.made", port: 9098 }],
    ...fields,
  };
}

/** A catalogue whose answers a test decides. */
export class MemoryClusters {
  readonly records: ClusterRecord[] = [record()];
  readonly created: NewCluster[] = [];
  /** Of the next creation, change, removal, retry or upgrade. */
  outcome: ClusterOutcome | undefined;
  readonly calls: unknown[][] = [];

  find = async (id: string): Promise<ClusterRecord | undefined> =>
    this.records.find((candidate) => candidate.id === id);
  findByName = async (name: string): Promise<ClusterRecord | undefined> =>
    this.records.find((candidate) => candidate.name === name);
  list: ControlDependencies["clusters"]["list"] = async ({ after, limit }) => {
    const rest = this.records.filter(({ id }) => after === undefined || id > after);
    const items = rest.slice(0, limit);
    const last = items.at(-1);
    return rest.length > limit && last !== undefined ? { items, next: last.id } : { items };
  };
  create = async (wanted: NewCluster): Promise<ClusterOutcome> => {
    this.created.push(wanted);
    if (this.outcome !== undefined) return this.outcome;
    const found = await this.findByName(wanted.name);
    if (found !== undefined) return { kind: "nameTaken", by: found.id };
    const id = clusterId(`cl_${String(this.records.length + 1).padStart(16, "0")}`);
    const cluster = record({ ...wanted, id, state: "creating", version: 1, addresses: [] });
    this.records.push(cluster);
    return { kind: "started", cluster, operation: "op_0000000000000001" as never };
  };
  change = async (...call: unknown[]): Promise<ClusterOutcome> => this.#decided(call);
  remove = async (...call: unknown[]): Promise<ClusterOutcome> => this.#decided(call);
  retry = async (...call: unknown[]): Promise<ClusterOutcome> => this.#decided(call);
  upgrade = async (...call: unknown[]): Promise<ClusterOutcome> => this.#decided(call);

  #decided(call: unknown[]): ClusterOutcome {
    this.calls.push(call);
    return this.outcome ?? { kind: "changed", cluster: record() };
  }
}

export interface ControlKit {
  readonly app: App;
  readonly clusters: MemoryClusters;
  readonly operations: OperationRecord[];
  readonly admin: MemoryClusterAdmin;
  /** Of the control plane, and of the one cluster. */
  readonly store: MetadataStore;
  readonly clusterStore: MetadataStore;
  readonly clock: VirtualClock;
  readonly failures: Error[];
  readonly toldUsers: string[];
  /** As a caller of the role; a body is sent as JSON. */
  ask(role: Role | "nobody", request: string, more?: AskOptions): Promise<Answered>;
}

export interface AskOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  /** Empty where the answer is no JSON. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly text: string;
}

export function controlKit(
  over: Partial<Pick<ControlDependencies, "store" | "provisioning" | "requestRates">> = {},
): ControlKit {
  const clock = new VirtualClock();
  const random = new SeededRandom(7);
  const store = over.store ?? new MemoryMetadataStore();
  const clusterStore = new MemoryMetadataStore();
  const clusters = new MemoryClusters();
  const operations: OperationRecord[] = [];
  const admin = new MemoryClusterAdmin();
  const failures: Error[] = [];
  const toldUsers: string[] = [];
  const app = controlApp({
    ...{ clock, random, hashing: inlineHashing, store, clusters, provisioning: "full" },
    operations: {
      find: async (id) => operations.find((candidate) => candidate.id === id),
      list: async ({ after, clusterId, limit }) => {
        const rest = operations.filter(
          (one) =>
            (after === undefined || one.id > after) &&
            (clusterId === undefined || one.clusterId === clusterId),
        );
        const items = rest.slice(0, limit);
        const last = items.at(-1);
        return rest.length > limit && last !== undefined ? { items, next: last.id } : { items };
      },
    },
    access: {
      admin: async () => admin,
      metadata: async () => clusterStore,
      usersChanged: async (_, keys) => void toldUsers.push(...keys),
      connection: ({ addresses }) => ({
        bootstrapServers: addresses.map(({ host, port }) => `${host}:${port}`),
        securityProtocol: "SASL_SSL",
        saslMechanisms: ["SCRAM-SHA-512", "PLAIN"],
        caCertificate: "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
      }),
    },
    principalOf: async ({ request }) => {
      const role = request.headers.get("x-test-role");
      if (role === null) return { kind: "unauthenticated", challenge: "Bearer", detail: "nobody" };
      const principal: Principal = { kind: "apiKey", id: role, role: role as Role };
      return { kind: "principal", principal };
    },
    failed: (error) => failures.push(error),
    ...over,
  });
  const ask: ControlKit["ask"] = async (role, request, { body, headers = {} } = {}) => {
    const [method = "", path = ""] = request.split(" ");
    const answer = await app.request(path, {
      method,
      headers: {
        ...(role === "nobody" ? {} : { "x-test-role": role }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined
        ? {}
        : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    const isJson = answer.headers.get("content-type")?.includes("json") === true;
    const parsed = isJson ? (JSON.parse(text) as Answered["body"]) : {};
    return { status: answer.status, headers: answer.headers, body: parsed, text };
  };
  return {
    ...{ app, clusters, operations, admin, store, clusterStore, clock },
    failures,
    toldUsers,
    ask,
  };
}
