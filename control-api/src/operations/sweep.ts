/**
 * What somebody has to look after from time to time, because nobody asks for it: operations whose
 * runner died, certificates that come to their end, clusters that are not as their records say (a
 * broker ended, or a late call changed one), what a late call made for a cluster that was deleted, and
 * records that have had their time. May run twice at once, and be cut off anywhere.
 *
 * What fails for one cluster keeps nobody from looking after the others; it is thrown at the end.
 */
import { type ClusterId, clusterId, type Item, keysUnder } from "@millrace/core";
import { type ClusterRecord, clusterKeys, type Tombstone } from "../clusters/cluster-record.ts";
import { ClusterRecords } from "../clusters/cluster-records.ts";
import { certificateLeftMsMin, pageItemsMax, tombstoneMs } from "../clusters/limits.ts";
import { ControlStore } from "./control-store.ts";
import { operationKeptMs, renewalRestMs, sweptAtOnceMax } from "./limits.ts";
import { nextOfDeletion, nextStep } from "./next-step.ts";
import { type OperationId, operationKeys } from "./operation-record.ts";
import { OperationRecords } from "./operation-records.ts";
import { objectsOf, perform } from "./perform.ts";
import { OperationRunner, type RunnerDependencies } from "./runner.ts";

export interface SweepOptions {
  /** By the clock's wall time: nothing more is begun then. */
  readonly untilMs?: number;
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

  /** Throws what failed (an AggregateError, of several): the next sweep tries again. */
  async sweep({ untilMs = Infinity }: SweepOptions = {}): Promise<Swept> {
    const attempts = new Attempts();
    for await (const some of this.#all()) {
      if (this.#nowMs() >= untilMs) break;
      await Promise.all(some.map((one) => attempts.make(() => this.#lookAfter(one))));
    }
    const underWay = await this.#operations.underWay();
    const ran = underWay.map(({ id }) => id);
    const runner = new OperationRunner(this.#deps);
    for (let at = 0; at < ran.length && this.#nowMs() < untilMs; at += sweptAtOnceMax) {
      const some = ran.slice(at, at + sweptAtOnceMax);
      await Promise.all(some.map((id) => attempts.make(() => runner.run(id, { untilMs }))));
    }
    const cleared = await this.#clear(attempts, untilMs);
    await this.#forget(attempts, untilMs);
    attempts.throwFailures();
    return { ran, cleared };
  }

  async #lookAfter(cluster: ClusterRecord): Promise<void> {
    const { id, revision, spec, state, version } = cluster;
    const leftMs = (cluster.certificate?.notAfterMs ?? 0) - this.#nowMs();
    // A renewal that failed has put down the new one, which not all brokers have.
    const ends = leftMs < certificateLeftMsMin || cluster.failed?.certificate === "renewed";
    if (ends && (state === "active" || (await this.#hasRested(cluster)))) {
      await this.#clusters.renewCertificate(id, { version });
      return;
    }
    if (state !== "active") return;
    const parts = await this.#deps.driver.observe(id);
    const target = { spec, revision, certificate: "kept" } as const;
    const observed = { cluster, parts, objects: "unknown" } as const;
    const next = nextStep({ kind: "updateCluster", target }, observed);
    // What goes on by itself is left to that.
    if (next.kind === "finish" || next.kind === "wait") return;
    await this.#clusters.repair(id, { version });
  }

  /**
   * Whether a change that failed may be tried again by itself. For the certificate's sake alone: its
   * brokers, or some, may well serve clients, who would be refused from its end on.
   */
  async #hasRested({ failed }: ClusterRecord): Promise<boolean> {
    if (failed?.kind !== "updateCluster") return false;
    const operation = await this.#operations.find(failed.operation);
    return (operation?.finishedAtMs ?? 0) + renewalRestMs <= this.#nowMs();
  }

  /** As many at once as may be looked after at once. */
  async *#all(): AsyncGenerator<readonly ClusterRecord[]> {
    let after: ClusterId | undefined;
    do {
      const at = after === undefined ? {} : { after };
      const page = await this.#clusters.list({ limit: sweptAtOnceMax, ...at });
      yield page.items;
      after = page.next;
    } while (after !== undefined);
  }

  /**
   * Only of clusters that have a tombstone: what belongs to nobody that is known may be another
   * deployment's, or that of a control table which was lost.
   */
  async #clear(attempts: Attempts, untilMs: number): Promise<readonly ClusterId[]> {
    const found = new Set<ClusterId>();
    await attempts.make(async () => {
      for (const { cluster } of await this.#deps.driver.list()) found.add(cluster);
    });
    const cleared: ClusterId[] = [];
    for (const cluster of found) {
      if ((await this.#store.get(clusterKeys.tombstone(cluster))) === undefined) continue;
      if (this.#nowMs() > untilMs) break;
      await attempts.make(async () => {
        await this.#clearOne(cluster);
        cleared.push(cluster);
      });
    }
    return cleared;
  }

  /** As far as it goes without waiting; the next sweep goes on. */
  async #clearOne(cluster: ClusterId): Promise<"nothing is left" | "some is left"> {
    let before = "";
    for (;;) {
      const parts = await this.#deps.driver.observe(cluster);
      const objects = await objectsOf(this.#deps.stores, cluster, parts);
      const next = nextOfDeletion({ parts, objects });
      if (next.kind === "finish") return "nothing is left";
      const actions = next.kind === "perform" ? next.actions : [];
      if (actions.length === 0 || before === JSON.stringify(actions)) return "some is left";
      await perform(this.#deps, cluster, actions);
      before = objects === "some" ? "" : JSON.stringify(actions);
    }
  }

  async #forget(attempts: Attempts, untilMs: number): Promise<void> {
    const nowMs = this.#nowMs();
    for (const operation of await this.#operations.endedBefore(nowMs - operationKeptMs)) {
      const key = operationKeys.operation(operation.id);
      await this.#store.write([{ key, value: undefined, over: operation.version }]);
    }
    for await (const item of this.#tombstones()) {
      const { deletedAtMs, id } = item.value as unknown as Tombstone;
      if (deletedAtMs > nowMs - tombstoneMs) continue;
      if (this.#nowMs() > untilMs) break;
      // A last look, also at what no list of the driver shows: its objects.
      await attempts.make(async () => {
        if ((await this.#clearOne(clusterId(id))) === "some is left") return;
        await this.#store.write([{ key: item.key, value: undefined, over: item.version }]);
      });
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

/** What is tried for each cluster by itself. */
class Attempts {
  readonly #failures: unknown[] = [];

  async make(attempt: () => Promise<unknown>): Promise<void> {
    try {
      await attempt();
    } catch (error) {
      this.#failures.push(error);
    }
  }

  /** Throws the one failure, or all of them as an AggregateError that says them all. */
  throwFailures(): void {
    const [first, ...others] = this.#failures;
    if (first === undefined) return;
    if (others.length === 0) throw first;
    const said = this.#failures.map((error) => (error instanceof Error ? error.message : "?"));
    throw new AggregateError(this.#failures, [...new Set(said)].join("; "), { cause: first });
  }
}
