import { MillraceError } from "../errors.ts";
import { operationLookGrowth, operationLookMsMax, operationLookMsMin } from "../limits.ts";
import { type Abortable, sleep } from "../timing.ts";
import { Asking, type ControlPlaneOptions } from "./asking.ts";
import { ClusterControl } from "./cluster-control.ts";
import { pages } from "./pages.ts";
import type {
  ApiKey,
  Cluster,
  ClusterChange,
  CreatedApiKey,
  NewApiKey,
  NewCluster,
  Operation,
  Principal,
} from "./types.ts";

/**
 * A condition of a change: the version that the caller has read.
 *
 * @example
 * ```ts
 * import { controlPlane, type IfVersion } from "@millrace/sdk";
 *
 * const { clusters } = controlPlane({ url: "https://control.example.com", apiKey: "mrk_…" });
 * const { id, version } = await clusters.describe("cl_01k2m3n4p5q6r7s8");
 * const unchanged: IfVersion = { version };
 * await clusters.delete(id, unchanged);
 * ```
 */
export interface IfVersion extends Abortable {
  /** Another version is there: the call rejects with `PRECONDITION_FAILED`. */
  readonly version?: number;
}

/**
 * How an operation is waited for.
 *
 * @example
 * ```ts
 * import { controlPlane, type WaitOptions } from "@millrace/sdk";
 *
 * const patience: WaitOptions = {
 *   signal: AbortSignal.timeout(600_000),
 *   onProgress: ({ step }) => console.log(step),
 * };
 * const { clusters } = controlPlane({ url: "https://control.example.com", apiKey: "mrk_…" });
 * await clusters.settled("cl_01k2m3n4p5q6r7s8", patience);
 * ```
 */
export interface WaitOptions extends Abortable {
  /** Called whenever the operation was looked at. */
  readonly onProgress?: (operation: Operation) => void;
}

/**
 * Clusters of the control plane.
 *
 * @example
 * ```ts
 * import { controlPlane } from "@millrace/sdk";
 *
 * const { clusters } = controlPlane({ url: "https://control.example.com", apiKey: "mrk_…" });
 * const made = await clusters.create({ name: "orders" });
 * console.log((await clusters.settled(made.id)).state);
 * ```
 */
export class ControlClusters {
  readonly #asking: Asking;
  readonly #operations: ControlOperations;

  constructor(asking: Asking, operations: ControlOperations) {
    this.#asking = asking;
    this.#operations = operations;
  }

  /** The oldest first; each page is asked for when it is come to. */
  list(options: Abortable = {}): AsyncIterable<Cluster> {
    return pages((cursor) =>
      this.#asking.ask(
        (api, how) => api.GET("/v1/clusters", { params: { query: cursor }, ...how }),
        options,
      ),
    );
  }

  /** Begins to make one: `settled` waits for it. */
  create(cluster: NewCluster, options: Abortable = {}): Promise<Cluster> {
    return this.#asking.make(
      (api, { key, ...how }) =>
        api.POST("/v1/clusters", {
          params: { header: { "idempotency-key": key } },
          body: cluster,
          ...how,
        }),
      options,
    );
  }

  /** Rejects with `NOT_FOUND` where there is none of this id. */
  describe(clusterId: string, options: Abortable = {}): Promise<Cluster> {
    const params = { path: { clusterId } };
    return this.#asking.ask(
      (api, how) => api.GET("/v1/clusters/{clusterId}", { params, ...how }),
      options,
    );
  }

  /** What is not in the change stays. */
  change(clusterId: string, change: ClusterChange, options: IfVersion = {}): Promise<Cluster> {
    const params = { path: { clusterId }, header: ifMatch(options) };
    return this.#asking.ask(
      (api, how) => api.PATCH("/v1/clusters/{clusterId}", { params, body: change, ...how }),
      options,
    );
  }

  /** Begins to delete it, with everything in it. Rejects with `DELETION_PROTECTED` if it is. */
  delete(clusterId: string, options: IfVersion = {}): Promise<Cluster> {
    const params = { path: { clusterId }, header: ifMatch(options) };
    return this.#asking.ask(
      (api, how) => api.DELETE("/v1/clusters/{clusterId}", { params, ...how }),
      { signal: options.signal, repeats: "once" },
    );
  }

  /** Begins again what failed. Rejects with `WRONG_STATE` where nothing did. */
  retry(clusterId: string, options: IfVersion = {}): Promise<Cluster> {
    const params = { path: { clusterId }, header: ifMatch(options) };
    return this.#asking.ask(
      (api, how) => api.POST("/v1/clusters/{clusterId}/retry", { params, ...how }),
      { signal: options.signal, repeats: "once" },
    );
  }

  /**
   * Begins to bring its brokers to the deployment's present version and settings: each hands over,
   * ends and starts anew, one after another.
   */
  upgrade(clusterId: string, options: IfVersion = {}): Promise<Cluster> {
    const params = { path: { clusterId }, header: ifMatch(options) };
    return this.#asking.ask(
      (api, how) => api.POST("/v1/clusters/{clusterId}/upgrade", { params, ...how }),
      { signal: options.signal, repeats: "once" },
    );
  }

  /**
   * The cluster when nothing is under way any more. Rejects with `OPERATION_FAILED` where that came to
   * nothing, and with `NOT_FOUND` where the cluster was deleted.
   */
  async settled(clusterId: string, options: WaitOptions = {}): Promise<Cluster> {
    for (;;) {
      const cluster = await this.describe(clusterId, options);
      if (cluster.operation === undefined) return cluster;
      await this.#operations.wait(cluster.operation, options);
    }
  }
}

/**
 * Long work on clusters.
 *
 * @example
 * ```ts
 * import { controlPlane } from "@millrace/sdk";
 *
 * const { operations } = controlPlane({ url: "https://control.example.com", apiKey: "mrk_…" });
 * console.log((await operations.wait("op_01k2m3n4p5q6r7s8")).finishedAt);
 * ```
 */
export class ControlOperations {
  readonly #asking: Asking;

  constructor(asking: Asking) {
    this.#asking = asking;
  }

  /** The oldest first, of one cluster if it is named. */
  list(options: Abortable & { readonly clusterId?: string } = {}): AsyncIterable<Operation> {
    const { clusterId } = options;
    const narrowed = clusterId === undefined ? {} : { clusterId };
    return pages((cursor) =>
      this.#asking.ask(
        (api, how) =>
          api.GET("/v1/operations", { params: { query: { ...cursor, ...narrowed } }, ...how }),
        options,
      ),
    );
  }

  describe(operationId: string, options: Abortable = {}): Promise<Operation> {
    const params = { path: { operationId } };
    return this.#asking.ask(
      (api, how) => api.GET("/v1/operations/{operationId}", { params, ...how }),
      options,
    );
  }

  /** Resolves when it has succeeded; rejects with `OPERATION_FAILED` when it has not. */
  async wait(operationId: string, options: WaitOptions = {}): Promise<Operation> {
    let lookMs = operationLookMsMin;
    for (;;) {
      const operation = await this.describe(operationId, options);
      options.onProgress?.(operation);
      if (operation.state === "succeeded") return operation;
      if (operation.state === "failed") throw failedOperation(operation);
      await sleep(lookMs, options.signal);
      lookMs = Math.min(operationLookMsMax, lookMs * operationLookGrowth);
    }
  }
}

/**
 * API keys of the control plane.
 *
 * @example
 * ```ts
 * import { controlPlane } from "@millrace/sdk";
 *
 * const { apiKeys } = controlPlane({ url: "http://localhost:8080" });
 * const { id, key } = await apiKeys.create({ name: "deployer", role: "operator" });
 * console.log(key);
 * await apiKeys.delete(id);
 * ```
 */
export class ControlApiKeys {
  readonly #asking: Asking;

  constructor(asking: Asking) {
    this.#asking = asking;
  }

  list(options: Abortable = {}): AsyncIterable<ApiKey> {
    return pages((cursor) =>
      this.#asking.ask(
        (api, how) => api.GET("/v1/api-keys", { params: { query: cursor }, ...how }),
        options,
      ),
    );
  }

  /** Its answer is the only place where the key is shown. */
  create(key: NewApiKey, options: Abortable = {}): Promise<CreatedApiKey> {
    return this.#asking.make(
      (api, { key: unique, ...how }) =>
        api.POST("/v1/api-keys", {
          params: { header: { "idempotency-key": unique } },
          body: key,
          ...how,
        }),
      options,
    );
  }

  async delete(apiKeyId: string, options: Abortable = {}): Promise<void> {
    const params = { path: { apiKeyId } };
    await this.#asking.ask(
      (api, how) => api.DELETE("/v1/api-keys/{apiKeyId}", { params, ...how }),
      { signal: options.signal, repeats: "once" },
    );
  }
}

/**
 * A client of the control plane: what there is, made and deleted over HTTP. It holds no connection.
 *
 * @example
 * ```ts
 * import { type ControlPlane, controlPlane } from "@millrace/sdk";
 *
 * async function show(control: ControlPlane): Promise<void> {
 *   for await (const { name, state } of control.clusters.list()) console.log(name, state);
 * }
 * await show(controlPlane({ url: "http://localhost:8080" }));
 * ```
 */
export class ControlPlane {
  readonly clusters: ControlClusters;
  readonly operations: ControlOperations;
  readonly apiKeys: ControlApiKeys;
  readonly #asking: Asking;

  constructor(options: ControlPlaneOptions) {
    this.#asking = new Asking(options);
    this.operations = new ControlOperations(this.#asking);
    this.clusters = new ControlClusters(this.#asking, this.operations);
    this.apiKeys = new ControlApiKeys(this.#asking);
  }

  /** What is in one cluster. Nothing is asked yet. */
  cluster(clusterId: string): ClusterControl {
    return new ClusterControl(this.#asking, clusterId);
  }

  whoAmI(options: Abortable = {}): Promise<Principal> {
    return this.#asking.ask((api, how) => api.GET("/v1/whoami", how), options);
  }
}

/**
 * Makes a client of the control plane. Failures that pass are tried again for a while; what makes
 * something is made once, however often it is tried.
 *
 * @example
 * ```ts
 * import { connect, controlPlane } from "@millrace/sdk";
 *
 * const control = controlPlane({ url: "https://control.example.com", apiKey: "mrk_…" });
 * const { id } = await control.clusters.create({ name: "orders" });
 * await control.clusters.settled(id);
 * const cluster = control.cluster(id);
 * const { username, secret: password } = await cluster.credentials.create({ name: "billing" });
 * const { bootstrapServers: brokers, caCertificate: ca } = await cluster.connection();
 * const sasl = { mechanism: "SCRAM-SHA-512", username, password } as const;
 * await using client = connect({ brokers, tls: ca === undefined ? true : { ca }, sasl });
 * console.log(await client.admin.listTopics());
 * ```
 */
export function controlPlane(options: ControlPlaneOptions): ControlPlane {
  return new ControlPlane(options);
}

function ifMatch({ version }: IfVersion): { readonly "if-match"?: string } {
  return version === undefined ? {} : { "if-match": `"v${version}"` };
}

function failedOperation({ error, id, kind }: Operation): MillraceError {
  const message = `${kind} ${id} failed: ${error?.detail ?? "it does not say why"}`;
  return new MillraceError({ code: "OPERATION_FAILED", message, retriable: false });
}
