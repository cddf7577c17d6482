/** The one transaction that ends an operation: its record and its cluster's change together. */
import type { BrokerAddress, ItemValue } from "@millrace/core";
import {
  type ClusterRecord,
  clusterItem,
  clusterKeys,
  type Tombstone,
} from "../clusters/cluster-record.ts";
import type { ControlStore, ControlWrite } from "./control-store.ts";
import {
  type OperationFault,
  operationItem,
  operationKeys,
  type OperationRecord,
} from "./operation-record.ts";

/** An operation that a runner has, and its cluster. */
export interface Held {
  readonly operation: OperationRecord;
  readonly cluster: ClusterRecord;
}

export function operationWrite(operation: OperationRecord): ControlWrite {
  return {
    key: operationKeys.operation(operation.id),
    value: operationItem(operation),
    over: operation.version,
  };
}

export function clusterWrite(cluster: ClusterRecord): ControlWrite {
  return {
    key: clusterKeys.cluster(cluster.id),
    value: clusterItem(cluster),
    over: cluster.version,
  };
}

/** The operation without a lease: nobody has it any more. */
export function letGo(held: OperationRecord): OperationRecord {
  const { lease: _, ...operation } = held;
  return operation;
}

/** `refused`: a record has changed meanwhile. Throws MetadataError. */
export async function writeSuccess(
  store: ControlStore,
  { cluster, operation }: Held,
  at: { readonly nowMs: number; readonly addresses: readonly BrokerAddress[] },
): Promise<"written" | "refused"> {
  const { fault: _, ...rest } = letGo(operation);
  const ended = operationWrite({
    ...rest,
    ...{ state: "succeeded", step: "record", stepsDone: operation.stepsTotal },
    finishedAtMs: at.nowMs,
  });
  if (operation.kind === "deleteCluster") {
    return store.write([ended, ...(await removal(store, cluster, at.nowMs))]);
  }
  const { failed: _failed, operation: _operation, ...kept } = cluster;
  const { addresses } = at;
  return store.write([ended, clusterWrite({ ...kept, state: "active", addresses })]);
}

/** `refused`: a record has changed meanwhile. Throws MetadataError. */
export function writeFailure(
  store: ControlStore,
  { cluster, operation }: Held,
  at: { readonly nowMs: number; readonly fault: OperationFault },
): Promise<"written" | "refused"> {
  const { fault, nowMs } = at;
  const ended = { ...letGo(operation), state: "failed", fault, finishedAtMs: nowMs } as const;
  const { operation: _, ...rest } = cluster;
  const { id, kind, target } = operation;
  const certificate = target === undefined ? {} : { certificate: target.certificate };
  const failed = { operation: id, kind, ...certificate };
  return store.write([operationWrite(ended), clusterWrite({ ...rest, state: "failed", failed })]);
}

async function removal(
  store: ControlStore,
  cluster: ClusterRecord,
  nowMs: number,
): Promise<readonly ControlWrite[]> {
  const { id, name } = cluster;
  const [named, count, former] = await Promise.all(
    [clusterKeys.name(name), clusterKeys.count, clusterKeys.tombstone(id)].map((key) =>
      store.get(key),
    ),
  );
  const clusters = Number(count?.value["clusters"] ?? 1) - 1;
  const tombstone = { id, name, deletedAtMs: nowMs } satisfies Tombstone;
  const put = (key: string, value: ItemValue | undefined, over: ControlWrite["over"]) => ({
    ...{ key, value, over },
  });
  return [
    put(clusterKeys.cluster(id), undefined, cluster.version),
    put(clusterKeys.count, { clusters }, count?.version ?? "nothing"),
    put(clusterKeys.tombstone(id), tombstone, former?.version ?? "nothing"),
    ...(named === undefined ? [] : [put(named.key, undefined, named.version)]),
  ];
}
