/**
 * Runs operations: looks at what is there, asks `nextStep`, performs it through the ports, writes
 * down how far it came, and so on to the end.
 *
 * It may be killed anywhere, started twice, and come late. What is right rests on three things:
 * every call of the driver may be repeated; steps are decided by what is there; and the records
 * change by conditional writes, which a runner whose lease another one took over does not get
 * through. The lease only keeps runners from doing everything twice.
 */
import type {
  BrokerDriver,
  Clock,
  ClusterStores,
  MetadataStore,
  ObservedCluster,
  Random,
} from "@millrace/core";
import { clusterKeys, readCluster } from "../clusters/cluster-record.ts";
import { ControlStore } from "./control-store.ts";
import {
  clusterWrite,
  type Held,
  letGo,
  operationWrite,
  writeFailure,
  writeSuccess,
} from "./ending.ts";
import { leaseMs, lookMsFirst, lookMsMax } from "./limits.ts";
import { type Next, nextStep } from "./next-step.ts";
import {
  isUnderWay,
  type OperationFault,
  type OperationId,
  operationKeys,
  type OperationRecord,
  readOperation,
} from "./operation-record.ts";
import { objectsOf, perform } from "./perform.ts";
import {
  afterFailure,
  afterPerformed,
  answered,
  atStep,
  fault,
  faultOf,
  isInTime,
  isRepeated,
  leaseFrom,
} from "./progress.ts";

export interface RunnerDependencies {
  /** The control plane's own store. */
  readonly store: MetadataStore;
  readonly driver: BrokerDriver;
  readonly stores: ClusterStores;
  readonly clock: Clock;
  readonly random: Random;
  /** This runner's name, which no other one has. */
  readonly holder: string;
}

/**
 * `taken`: another runner has it. `paused`: the time for it was over; it goes on when it is run
 * again. `absent`: there is no such operation, or no cluster of it.
 */
export type RunOutcome = "succeeded" | "failed" | "taken" | "paused" | "absent";

export interface RunOptions {
  /** By the clock's wall time; without an end if absent. */
  readonly untilMs?: number;
}

/**
 * What one look came to. `performed`: look again at once. `waits`: in a while. `again`: something is
 * to be tried later, or a record has changed meanwhile.
 */
type Looked = "performed" | "waits" | "again";

export class OperationRunner {
  readonly #deps: RunnerDependencies;
  readonly #store: ControlStore;

  constructor(deps: RunnerDependencies) {
    this.#deps = deps;
    this.#store = new ControlStore(deps);
  }

  /** Throws MetadataError when the control store does not answer: to be run again then. */
  async run(id: OperationId, { untilMs = Infinity }: RunOptions = {}): Promise<RunOutcome> {
    let waited = 0;
    for (;;) {
      const held = await this.#hold(id);
      if (typeof held === "string") return held;
      const earlyMs = held.operation.notBeforeMs - this.#nowMs();
      const looked = earlyMs > 0 ? "again" : await this.#look(held);
      waited = looked === "waits" ? waited + 1 : 0;
      const waitMs = earlyMs > 0 ? Math.min(earlyMs, leaseMs / 2) : pauseMs(waited);
      if (this.#nowMs() + waitMs > untilMs) return this.#pause(id);
      if (waitMs > 0) await this.#sleep(waitMs);
    }
  }

  /** Takes the lease, or makes it longer. */
  async #hold(id: OperationId): Promise<Held | RunOutcome> {
    for (;;) {
      const operation = await this.#read(id);
      if (operation === undefined) return "absent";
      if (!isUnderWay(operation)) return operation.state === "failed" ? "failed" : "succeeded";
      const cluster = await this.#store.get(clusterKeys.cluster(operation.clusterId));
      if (cluster === undefined) {
        // It has ended in between; or somebody has brought back a part of the control store.
        const after = await this.#read(id);
        if (after !== undefined && isUnderWay(after)) return "absent";
        continue;
      }
      const leased = await this.#leased(operation);
      if (leased === "taken") return "taken";
      if (leased !== "changed") return { operation: leased, cluster: readCluster(cluster) };
    }
  }

  async #read(id: OperationId): Promise<OperationRecord | undefined> {
    const item = await this.#store.get(operationKeys.operation(id));
    return item === undefined ? undefined : readOperation(item);
  }

  async #leased(operation: OperationRecord): Promise<OperationRecord | "taken" | "changed"> {
    const { holder } = this.#deps;
    const { lease } = operation;
    const leftMs = (lease?.untilMs ?? 0) - this.#nowMs();
    if (lease !== undefined && lease.holder !== holder && leftMs > 0) return "taken";
    if (lease?.holder === holder && leftMs > leaseMs / 2) return operation;
    const after = { ...operation, state: "running", lease: this.#lease() } as const;
    const outcome = await this.#store.write([operationWrite(after)]);
    return outcome === "written" ? { ...after, version: operation.version + 1 } : "changed";
  }

  async #look(held: Held): Promise<Looked> {
    const { cluster, operation } = held;
    let step = operation.step;
    try {
      const parts = await this.#deps.driver.observe(cluster.id);
      const isDeletion = operation.kind === "deleteCluster";
      const { stores } = this.#deps;
      const objects = isDeletion ? await objectsOf(stores, cluster.id, parts) : "unknown";
      const next = nextStep(operation, { cluster, parts, objects });
      step = next.step;
      // A look that took so long is another one's by now, and so are its consequences.
      if ((operation.lease?.untilMs ?? 0) <= this.#nowMs()) return "again";
      return await this.#do(held, next, parts);
    } catch (error) {
      const found = faultOf(error, step);
      if (found === undefined) throw error;
      return this.#failed(held, found);
    }
  }

  async #do(held: Held, next: Next, parts: ObservedCluster): Promise<Looked> {
    switch (next.kind) {
      case "finish": {
        const at = { nowMs: this.#nowMs(), addresses: parts.names };
        await writeSuccess(this.#store, held, at);
        return "again";
      }
      case "fail":
        return this.#fail(held, fault("store-gone", next.step, next.detail));
      case "wait":
        return this.#waits(held, next);
      case "perform":
        return next.again === undefined ? this.#performs(held, next) : this.#restarts(held, next);
    }
  }

  async #waits(held: Held, next: Extract<Next, { readonly kind: "wait" }>): Promise<Looked> {
    const { operation } = held;
    if (!isInTime(operation, this.#nowMs())) {
      return this.#fail(held, fault("step-timed-out", next.step, next.detail));
    }
    if (operation.step === next.step && operation.unanswered === undefined) return "waits";
    await this.#store.write([operationWrite(answered(atStep(operation, next.step)))]);
    return "waits";
  }

  async #performs(held: Held, next: Extract<Next, { readonly kind: "perform" }>): Promise<Looked> {
    const { cluster, operation } = held;
    const isAgain = isRepeated(operation, next.actions);
    if (isAgain && !isInTime(operation, this.#nowMs())) {
      return this.#fail(held, fault("step-timed-out", next.step, "what was begun is not seen"));
    }
    const facts = await perform(this.#deps, cluster.id, next.actions);
    const nowMs = this.#nowMs();
    const after = isAgain
      ? answered(atStep(operation, next.step))
      : afterPerformed(operation, next, nowMs);
    const writes = [operationWrite({ ...after, lease: this.#lease() })];
    if (facts.certificate !== undefined) writes.push(clusterWrite({ ...cluster, ...facts }));
    await this.#store.write(writes);
    return isAgain ? "waits" : "performed";
  }

  /** What has failed by itself is begun again, a bounded number of times. */
  async #restarts(held: Held, next: Extract<Next, { readonly kind: "perform" }>): Promise<Looked> {
    const found = fault("broker-failed", next.step, next.again ?? "");
    const looked = await this.#failed(held, found);
    if (looked === "performed") await perform(this.#deps, held.cluster.id, next.actions);
    return "again";
  }

  /** `performed`: written down, and to be tried again. */
  async #failed(held: Held, found: OperationFault): Promise<Looked> {
    const { random } = this.#deps;
    const after = afterFailure(held.operation, found, { random, nowMs: this.#nowMs() });
    if (after === undefined || found.code === "driver-refused") return this.#fail(held, found);
    const at = { ...atStep(after, found.step), lease: this.#lease() };
    const outcome = await this.#store.write([operationWrite(at)]);
    return outcome === "written" ? "performed" : "again";
  }

  async #fail(held: Held, found: OperationFault): Promise<Looked> {
    await writeFailure(this.#store, held, { fault: found, nowMs: this.#nowMs() });
    return "again";
  }

  /** So that the next runner need not wait for the lease's end. */
  async #pause(id: OperationId): Promise<RunOutcome> {
    const held = await this.#hold(id);
    if (typeof held === "string") return held;
    await this.#store.write([operationWrite(letGo(held.operation))]);
    return "paused";
  }

  #lease(): NonNullable<OperationRecord["lease"]> {
    return leaseFrom(this.#deps.holder, this.#nowMs());
  }

  /** Wall time: other processes go by it too. */
  #nowMs(): number {
    return this.#deps.clock.wallMs();
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#deps.clock.after(ms, resolve));
  }
}

/** Before the next look, after so many looks in a row at what goes on by itself. */
function pauseMs(waited: number): number {
  return waited === 0 ? 0 : Math.min(lookMsMax, lookMsFirst * 1.3 ** (waited - 1));
}
