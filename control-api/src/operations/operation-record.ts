/**
 * Operations: long work on a cluster, which the runner does step by step. One item each in the
 * control store, `control/operation/{id}`; at most one of a cluster is under way, because the
 * cluster's record names it.
 */
import type { ClusterId, Item, ItemValue } from "@millrace/core";
import type { ClusterSpec, PageOf, PageRequest } from "../clusters/cluster-record.ts";

/** `op_` and 16 characters of Crockford's base32, which begin with the time of its creation. */
export type OperationId = string & { readonly __operationId: "OperationId" };

export type OperationKind = "createCluster" | "updateCluster" | "deleteCluster";
export type OperationState = "pending" | "running" | "succeeded" | "failed";

/** What the runner is at, in the order of each kind's steps. */
export type OperationStep =
  | "store"
  | "certificate"
  | "names"
  | "brokers"
  | "ready"
  | "drain"
  | "secrets"
  | "objects"
  | "record";

/** Why an operation failed. */
export type FaultCode =
  /** AWS, or the machine, refused what would be refused again. */
  | "driver-refused"
  /** It could not be reached, or throttled, for as long as it was tried. */
  | "driver-unavailable"
  /** A step did not come to its end in time. */
  | "step-timed-out"
  /** A broker ended again and again. */
  | "broker-failed"
  /** What the cluster can't be without is gone, and nothing may take its place. */
  | "store-gone";

export interface OperationFault {
  readonly code: FaultCode;
  readonly step: OperationStep;
  /** A sentence for the operator. */
  readonly detail: string;
}

export interface OperationRecord {
  readonly id: OperationId;
  readonly clusterId: ClusterId;
  readonly kind: OperationKind;
  readonly state: OperationState;
  readonly step: OperationStep;
  readonly stepsDone: number;
  readonly stepsTotal: number;
  readonly startedAtMs: number;
  readonly finishedAtMs?: number;
  readonly fault?: OperationFault;
  /** What the cluster is to be afterwards; a deletion has none. */
  readonly target?: OperationTarget;
  /** Of the runner: failures of what was begun at the present step. */
  readonly failures: number;
  /** Looks and calls in a row that failed, and may not the next time; absent: none. */
  readonly unanswered?: number;
  /** Since when nothing more was begun. */
  readonly stillSinceMs: number;
  /** What was performed last, in a few words. */
  readonly performed?: string;
  /** Not to be tried before. */
  readonly notBeforeMs: number;
  readonly lease?: Lease;
  /** The item's version. */
  readonly version: number;
}

export interface OperationTarget {
  readonly spec: ClusterSpec;
  /** Of its brokers. */
  readonly revision: number;
  /** Whether the brokers get a new certificate. */
  readonly certificate: "kept" | "renewed";
}

/** Who runs it now. It keeps others from trying at once; what is right rests on versions. */
export interface Lease {
  readonly holder: string;
  /** Wall time. */
  readonly untilMs: number;
}

const idPattern = /^op_[0-9a-hjkmnp-tv-z]{16}$/;

/** Undefined: the text is no operation's id. */
export function asOperationId(text: string): OperationId | undefined {
  return idPattern.test(text) ? (text as OperationId) : undefined;
}

export function isUnderWay({ state }: Pick<OperationRecord, "state">): boolean {
  return state === "pending" || state === "running";
}

/** Of the control store; the part before the id is the partition by which a stream is filtered. */
export const operationKeys = {
  prefix: "control/operation",
  operation: (id: OperationId): string => `control/operation/${id}`,
} as const;

export function operationItem(operation: OperationRecord): ItemValue {
  const { version: _, ...fields } = operation;
  return fields as unknown as ItemValue;
}

export function readOperation(item: Item): OperationRecord {
  return { ...(item.value as unknown as Omit<OperationRecord, "version">), version: item.version };
}

/** What `OperationRecords` (operation-records.ts) does; the routes need no more. Throws MetadataError. */
export interface OperationCatalogue {
  find(id: OperationId): Promise<OperationRecord | undefined>;
  /** By age, the oldest first; of one cluster if it is named. `after`: a former page's `next`. */
  list(
    page: PageRequest<OperationId> & { readonly clusterId?: ClusterId },
  ): Promise<PageOf<OperationRecord, OperationId>>;
}
