/**
 * What somebody has to look after from time to time, because nobody asks for it: operations whose
 * runner died, certificates that come to their end, what a late call made for a cluster that was
 * deleted, and records that have had their time. May run twice at once, and be cut off anywhere.
 */
import { type ClusterId, clusterId, type Item, keysUnder } from "@millrace/core";
import { type ClusterRecord, clusterKeys, type Tombstone } from "../clusters/cluster-record.ts";
import { ClusterRecords } from "../clusters/cluster-records.ts";
import { certificateLeftMsMin, pageItemsMax, tombstoneMs } from "../clusters/limits.ts";
import { ControlStore } from "./control-store.ts";
import { operationKeptMs, sweptAtOnceMax } from "./limits.ts";
import { nextOfDeletion } from "./next-step.ts";
import { type OperationId, operationKeys } from "./operation-record.ts";
import { OperationRecords } from "./operation-records.ts";
import { objectsOf, perform } from "./perform.ts";
import { OperationRunner, type RunnerDependencies } from "./runner.ts";

export interface SweepOptions {
  /** By the clock's wall time: nothing more is begun then. */
  readonly untilMs?: number;
  /** `dead`: brokers that ended are started again, where nothing else does that. */
  readonly restarts?: "dead" | "none";
}

export interface Swept {
  /** Operations that were run, also those that the sweep began itself. */
  readonly ran: readonly OperationId[];
  /** Deleted clusters of which something had come to light. */
  readonly cleared: readonly ClusterId[];
}

export class Sweeper {
  readonly #deps: RunnerDependencies;
  readonly #store: ControlStore;
  readonly #clusters: ClusterRecords;
  readonly #operations: OperationRecords;

  constructor(deps: RunnerDependencies) {
    this.#deps = deps;
    this.#store = new ControlStore(deps);
    this.#clusters = new ClusterRecords(deps);
    this.#operations = new OperationRecords(deps);
  }

  /** Throws MetadataError and DriverError: the next sweep tries again. */
  async sweep({ restarts = "none", untilMs = Infinity }: SweepOptions = {}): Promise<Swept> {
    for await (const cluster of this.#all()) await this.#lookAfter(cluster, restarts);
    const underWay = await this.#operations.underWay();
    const ran = underWay.map(({ id }) => id);
    const runner = new OperationRunner(this.#deps);
    for (let at = 0; at < ran.length && this.#nowMs() < untilMs; at += sweptAtOnceMax) {
      const some = ran.slice(at, at + sweptAtOnceMax);
      await Promise.all(some.map((id) => runner.run(id, { untilMs })));
    }
    const cleared = await this.#clear(untilMs);
    await this.#forget();
    return { ran, cleared };
  }

  async #lookAfter(cluster: ClusterRecord, restarts: "dead" | "none"): Promise<void> {
    if (cluster.state !== "active") return;
    const { id, version } = cluster;
    const leftMs = (cluster.certificate?.notAfterMs ?? 0) - this.#nowMs();
    if (leftMs < certificateLeftMsMin) {
      await this.#clusters.renewCertificate(id, { version });
    } else if (restarts === "dead") {
      const { brokers, store } = await this.#deps.driver.observe(id);
      const isWhole = store === "ready" && brokers.length >= cluster.spec.brokers;
      const hasFailed = brokers.some(({ state }) => state === "failed");
      if (hasFailed || !isWhole) await this.#clusters.repair(id, { version });
    }
  }

  async *#all(): AsyncGenerator<ClusterRecord> {
    let after: ClusterId | undefined;
    do {
      const at = after === undefined ? {} : { after };
      const page = await this.#clusters.list({ limit: pageItemsMax, ...at });
      yield* page.items;
      after = page.next;
    } while (after !== undefined);
  }

  /**
   * Only of clusters that have a tombstone: what belongs to nobody that is known may be another
   * deployment's, or that of a control table which was lost.
   */
  async #clear(untilMs: number): Promise<readonly ClusterId[]> {
    const found = new Set((await this.#deps.driver.list()).map(({ cluster }) => cluster));
    const cleared: ClusterId[] = [];
    for (const cluster of found) {
      if ((await this.#store.get(clusterKeys.tombstone(cluster))) === undefined) continue;
      if (this.#nowMs() > untilMs) break;
      await this.#clearOne(cluster);
      cleared.push(cluster);
    }
    return cleared;
  }

  /** As far as it goes without waiting; the next sweep goes on. */
  async #clearOne(cluster: ClusterId): Promise<void> {
    let before = "";
    for (;;) {
      const parts = await this.#deps.driver.observe(cluster);
      const objects = await objectsOf(this.#deps.stores, cluster, parts);
      const next = nextOfDeletion({ parts, objects });
      const actions = next.kind === "perform" ? next.actions : [];
      if (actions.length === 0 || before === JSON.stringify(actions)) return;
      await perform(this.#deps, cluster, actions);
      before = objects === "some" ? "" : JSON.stringify(actions);
    }
  }

  async #forget(): Promise<void> {
    const nowMs = this.#nowMs();
    for (const operation of await this.#operations.endedBefore(nowMs - operationKeptMs)) {
      const key = operationKeys.operation(operation.id);
      await this.#store.write([{ key, value: undefined, over: operation.version }]);
    }
    for await (const item of this.#tombstones()) {
      const { deletedAtMs, id } = item.value as unknown as Tombstone;
      if (deletedAtMs > nowMs - tombstoneMs) continue;
      const parts = await this.#deps.driver.observe(clusterId(id));
      const isLeft = parts.brokers.length > 0 || parts.store !== "absent";
      if (isLeft) continue;
      await this.#store.write([{ key: item.key, value: undefined, over: item.version }]);
    }
  }

  async *#tombstones(): AsyncGenerator<Item> {
    const range = keysUnder(clusterKeys.tombstones, pageItemsMax);
    let from: string | undefined = range.from;
    while (from !== undefined) {
      const start: string = from;
      const page = await this.#store.range({ ...range, from: start });
      yield* page.items;
      from = page.next;
    }
  }

  #nowMs(): number {
    return this.#deps.clock.wallMs();
  }
}
