/**
 * The records of clusters in the control store. A change that takes long begins an operation: it is
 * written in the one transaction that changes the record, so that there is never one without the
 * other, and the record names it until its end, so that there are never two.
 */
import type { ClusterId, ItemValue } from "@millrace/core";
import { ControlStore, type ControlStoreDependencies } from "../operations/control-store.ts";
import { newOperation } from "../operations/new-operation.ts";
import {
  type OperationKind,
  type OperationRecord,
  type OperationTarget,
  operationItem,
  operationKeys,
} from "../operations/operation-record.ts";
import {
  type AtVersion,
  type ClusterCatalogue,
  type ClusterChange,
  type ClusterOutcome,
  type ClusterRecord,
  type ClusterRefusal,
  clusterItem,
  clusterKeys,
  type NewCluster,
  type PageOf,
  type PageRequest,
  readCluster,
} from "./cluster-record.ts";
import {
  changedSpec,
  clusterNameFault,
  isOtherBroker,
  isSameSpec,
  specFaults,
} from "./cluster-rules.ts";
import { clustersMax, pageItemsMax } from "./limits.ts";
import { newId } from "./new-id.ts";

/** What a decision on a record comes to: the record and, if one begins, its operation. */
type Decision =
  | { readonly kind: "write"; readonly after: ClusterRecord; readonly begins?: OperationRecord }
  | { readonly kind: "nothing" }
  | ClusterRefusal;

export class ClusterRecords implements ClusterCatalogue {
  readonly #deps: ControlStoreDependencies;
  readonly #store: ControlStore;

  constructor(deps: ControlStoreDependencies) {
    this.#deps = deps;
    this.#store = new ControlStore(deps);
  }

  async create(wanted: NewCluster): Promise<ClusterOutcome> {
    const invalid = newClusterFaults(wanted);
    if (invalid !== undefined) return invalid;
    const { cluster, operation } = this.#newCluster(wanted);
    for (;;) {
      const count = await this.#store.get(clusterKeys.count);
      const clusters = Number(count?.value["clusters"] ?? 0);
      if (clusters >= clustersMax) return { kind: "tooManyClusters", most: clustersMax };
      const outcome = await this.#store.write([
        created(clusterKeys.cluster(cluster.id), clusterItem(cluster)),
        created(clusterKeys.name(cluster.name), { clusterId: cluster.id }),
        created(operationKeys.operation(operation.id), operationItem(operation)),
        {
          ...{ key: clusterKeys.count, value: { clusters: clusters + 1 } },
          over: count?.version ?? "nothing",
        },
      ]);
      if (outcome === "written" || (await this.#isKnown(operation.id))) {
        return { kind: "started", cluster, operation: operation.id };
      }
      // Either somebody else counted meanwhile, or the name is taken.
      const other = await this.findByName(wanted.name);
      if (other !== undefined && other.id !== cluster.id) {
        return { kind: "nameTaken", by: other.id };
      }
    }
  }

  async find(id: ClusterId): Promise<ClusterRecord | undefined> {
    const item = await this.#store.get(clusterKeys.cluster(id));
    return item === undefined ? undefined : readCluster(item);
  }

  async findByName(name: string): Promise<ClusterRecord | undefined> {
    if (clusterNameFault(name) !== undefined) return undefined;
    const item = await this.#store.get(clusterKeys.name(name));
    return item === undefined ? undefined : this.find(item.value["clusterId"] as ClusterId);
  }

  async list({ after, limit }: PageRequest<ClusterId>): Promise<PageOf<ClusterRecord, ClusterId>> {
    const { prefix } = clusterKeys;
    // "!" is the first character that can follow an id, and "0" the one after "/".
    const from = after === undefined ? `${prefix}/` : `${clusterKeys.cluster(after)}!`;
    const page = await this.#store.range({
      ...{ from, to: `${prefix}0`, limit: Math.min(limit, pageItemsMax) },
    });
    const items = page.items.map(readCluster);
    const last = items.at(-1);
    return page.next === undefined || last === undefined ? { items } : { items, next: last.id };
  }

  change(id: ClusterId, change: ClusterChange, at: AtVersion = {}): Promise<ClusterOutcome> {
    return this.#decide(id, at, (before) => this.#changed(before, change));
  }

  upgrade(id: ClusterId, at: AtVersion = {}): Promise<ClusterOutcome> {
    return this.#decide(id, at, (before) =>
      this.#rolled(before, before.failed?.certificate ?? "kept"),
    );
  }

  renewCertificate(id: ClusterId, at: AtVersion = {}): Promise<ClusterOutcome> {
    return this.#decide(id, at, (before) => this.#rolled(before, "renewed"));
  }

  repair(id: ClusterId, at: AtVersion = {}): Promise<ClusterOutcome> {
    return this.#decide(id, at, (before) => {
      if (before.state !== "active") return { kind: "wrongState", state: before.state };
      return this.#begins("updateCluster", { ...before, state: "updating" });
    });
  }

  remove(id: ClusterId, at: AtVersion = {}): Promise<ClusterOutcome> {
    return this.#decide(id, at, (before) => {
      if (before.deletionProtection) return { kind: "protected" };
      if (before.operation !== undefined) return { kind: "busy", operation: before.operation };
      return this.#begins("deleteCluster", { ...before, state: "deleting", addresses: [] });
    });
  }

  retry(id: ClusterId, at: AtVersion = {}): Promise<ClusterOutcome> {
    return this.#decide(id, at, (before) => {
      if (before.operation !== undefined) return { kind: "busy", operation: before.operation };
      const { failed, state } = before;
      if (failed === undefined) return { kind: "wrongState", state };
      const isKept = failed.kind === "deleteCluster" && before.deletionProtection;
      // What is left of it was protected since.
      if (isKept) return { kind: "protected" };
      const after = { ...before, state: stateDuring[failed.kind] };
      return this.#begins(failed.kind, after, failed.certificate ?? "kept");
    });
  }

  #newCluster({ deletionProtection, name, spec }: NewCluster): {
    readonly cluster: ClusterRecord;
    readonly operation: OperationRecord;
  } {
    const id = newId("cl", this.#deps) as ClusterId;
    const ordered = changedSpec(spec, {});
    const operation = newOperation(this.#deps, {
      ...{ clusterId: id, kind: "createCluster" },
      target: { spec: ordered, revision: 1, certificate: "kept" },
    });
    const cluster: ClusterRecord = {
      ...{ id, name, state: "creating", spec: ordered, revision: 1, deletionProtection },
      ...{ durability: "journal", createdAtMs: this.#deps.clock.wallMs() },
      ...{ operation: operation.id, addresses: [], version: 1 },
    };
    return { cluster, operation };
  }

  #changed(before: ClusterRecord, change: ClusterChange): Decision {
    const spec = changedSpec(before.spec, change);
    const errors = specFaults(spec);
    if (errors.length > 0) return { kind: "invalid", errors };
    const deletionProtection = change.deletionProtection ?? before.deletionProtection;
    const isSame = isSameSpec(before.spec, spec);
    if (isSame && deletionProtection === before.deletionProtection) return { kind: "nothing" };
    if (before.state === "deleting") return { kind: "wrongState", state: "deleting" };
    if (isSame) return { kind: "write", after: { ...before, deletionProtection } };
    if (before.operation !== undefined) return { kind: "busy", operation: before.operation };
    if (!isChangeable(before)) return { kind: "wrongState", state: before.state };
    const isOther = before.state === "failed" || isOtherBroker(before.spec, spec);
    const revision = before.revision + (isOther ? 1 : 0);
    const after = { ...before, spec, revision, deletionProtection, state: "updating" } as const;
    return this.#begins("updateCluster", after, before.failed?.certificate ?? "kept");
  }

  /** Every broker is to start anew. */
  #rolled(before: ClusterRecord, certificate: OperationTarget["certificate"]): Decision {
    if (before.operation !== undefined) return { kind: "busy", operation: before.operation };
    if (!isChangeable(before)) return { kind: "wrongState", state: before.state };
    const after = { ...before, state: "updating", revision: before.revision + 1 } as const;
    return this.#begins("updateCluster", after, certificate);
  }

  #begins(
    kind: OperationKind,
    after: ClusterRecord,
    certificate: OperationTarget["certificate"] = "kept",
  ): Decision {
    const { spec, revision } = after;
    const target = kind === "deleteCluster" ? {} : { target: { spec, revision, certificate } };
    const begins = newOperation(this.#deps, { clusterId: after.id, kind, ...target });
    const { failed: _, ...rest } = after;
    return { kind: "write", after: { ...rest, operation: begins.id }, begins };
  }

  /**
   * Whether a write that was refused had its effect by an earlier try of itself, whose answer was
   * lost: by now its records may have gone on, or be gone. Operations stay longer than any try takes.
   */
  async #isKnown(begun: OperationRecord["id"]): Promise<boolean> {
    return (await this.#store.get(operationKeys.operation(begun))) !== undefined;
  }

  /** Decides again when somebody else was faster. */
  async #decide(
    id: ClusterId,
    { version }: AtVersion,
    decide: (before: ClusterRecord) => Decision,
  ): Promise<ClusterOutcome> {
    for (;;) {
      const before = await this.find(id);
      if (before === undefined) return { kind: "notFound" };
      if (version !== undefined && version !== before.version) {
        return { kind: "stale", version: before.version };
      }
      const decision = decide(before);
      if (decision.kind === "nothing") return { kind: "changed", cluster: before };
      if (decision.kind !== "write") return decision;
      const { after, begins } = decision;
      const outcome = await this.#store.write([
        { key: clusterKeys.cluster(id), value: clusterItem(after), over: before.version },
        ...(begins === undefined
          ? []
          : [created(operationKeys.operation(begins.id), operationItem(begins))]),
      ]);
      const isWritten = outcome === "written" || (begins && (await this.#isKnown(begins.id)));
      if (isWritten !== true) continue;
      const cluster = { ...after, version: before.version + 1 };
      return begins === undefined
        ? { kind: "changed", cluster }
        : { kind: "started", cluster, operation: begins.id };
    }
  }
}

/** Of one that failed to be made, or to be deleted, there is nothing that could be changed. */
function isChangeable({ failed, state }: ClusterRecord): boolean {
  return state === "active" || failed?.kind === "updateCluster";
}

const stateDuring = {
  createCluster: "creating",
  updateCluster: "updating",
  deleteCluster: "deleting",
} as const;

function created(key: string, value: ItemValue) {
  return { key, value, over: "nothing" } as const;
}

function newClusterFaults({ name, spec }: NewCluster): ClusterRefusal | undefined {
  const detail = clusterNameFault(name);
  const errors = [
    ...(detail === undefined ? [] : [{ pointer: "/name", detail }]),
    ...specFaults(changedSpec(spec, {})),
  ];
  return errors.length > 0 ? { kind: "invalid", errors } : undefined;
}
