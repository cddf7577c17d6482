/**
 * What an operation does next: a pure function of what is wanted and what is there.
 *
 * It knows nothing of what was done before, so it does not matter where a runner was killed, how
 * often a call was repeated, or who made what is there: the same look leads to the same step, and
 * each step makes the difference smaller. Steps follow the order of `stepsOf`; a part of an earlier
 * one that has gone meanwhile is made again first.
 */
import type { BrokerSpec, ClusterPart, ObservedBroker, ObservedCluster } from "@millrace/core";
import type { ClusterRecord } from "../clusters/cluster-record.ts";
import type { OperationRecord, OperationStep, OperationTarget } from "./operation-record.ts";

export interface Observed {
  readonly cluster: ClusterRecord;
  readonly parts: ObservedCluster;
  /** `unknown` as long as anything else is there. */
  readonly objects: "some" | "none" | "unknown";
}

export type Action =
  | { readonly does: "ensureStore" }
  | { readonly does: "ensureName"; readonly broker: number }
  | { readonly does: "issueCertificate"; readonly revision: number; readonly renews: boolean }
  | { readonly does: "ensureBroker"; readonly spec: BrokerSpec }
  | { readonly does: "remove"; readonly part: ClusterPart }
  | { readonly does: "deleteObjects" };

export type Next =
  | {
      readonly kind: "perform";
      readonly step: OperationStep;
      /** May be done at once, in any order. */
      readonly actions: readonly Action[];
      /** Why it is done again: what was begun has failed. */
      readonly again?: string;
    }
  /** Nothing that may be done would bring it about. */
  | { readonly kind: "fail"; readonly step: OperationStep; readonly detail: string }
  /** What was begun goes on by itself. */
  | { readonly kind: "wait"; readonly step: OperationStep; readonly detail: string }
  | { readonly kind: "finish"; readonly step: "record" };

export function nextStep(
  { kind, target }: Pick<OperationRecord, "kind" | "target">,
  observed: Observed,
): Next {
  if (target === undefined) return nextOfDeletion(observed);
  const { store } = observed.parts;
  if (store === "absent" && kind === "updateCluster") {
    // Its brokers would take empty ones for a new cluster, and what its objects hold for nobody's.
    return { kind: "fail", step: "store", detail: "the cluster's metadata are gone" };
  }
  if (store === "absent" || store === "stopped") {
    return perform("store", [{ does: "ensureStore" }]);
  }
  return nextTowards(target, observed);
}

function nextTowards(target: OperationTarget, observed: Observed): Next {
  const { parts } = observed;
  return (
    namesMissing(target, parts) ??
    certificateMissing(target, observed) ??
    storeMissing(parts) ??
    brokersMissing(target, parts) ??
    brokersNotReady(target, parts) ??
    brokersTooMany(target, parts) ?? { kind: "finish", step: "record" }
  );
}

/** It takes longest, so that what does not need it is made meanwhile. */
function storeMissing({ store }: ObservedCluster): Next | undefined {
  return store === "ready" ? undefined : wait("store", `the metadata store is ${store}`);
}

function namesMissing(target: OperationTarget, parts: ObservedCluster): Next | undefined {
  const named = new Set(parts.names.map(({ broker }) => broker));
  const missing = brokersOf(target).filter((broker) => !named.has(broker));
  if (missing.length === 0) return undefined;
  return perform(
    "names",
    missing.map((broker) => ({ does: "ensureName", broker })),
  );
}

function certificateMissing(
  target: OperationTarget,
  { cluster, parts }: Observed,
): Next | undefined {
  const { certificate } = cluster;
  const isKept = parts.secrets.includes("broker") && parts.secrets.includes("authority");
  const isRenewed = target.certificate === "kept" || certificate?.revision === target.revision;
  const names = certificate?.names;
  const lacksHost = parts.names.some(({ host }) => names?.includes(host) === false);
  // A record of before names were written down: the one that is kept is read, and says.
  if (names !== undefined && isKept && isRenewed && !lacksHost) return undefined;
  const renews = target.certificate === "renewed" || lacksHost;
  return perform("certificate", [{ does: "issueCertificate", revision: target.revision, renews }]);
}

/** Those that are missing are started together; those of another revision one after another. */
function brokersMissing(target: OperationTarget, parts: ObservedCluster): Next | undefined {
  const byId = new Map(parts.brokers.map((broker) => [broker.broker, broker]));
  const missing = brokersOf(target).filter((broker) => !byId.has(broker));
  if (missing.length > 0) {
    return perform(
      "brokers",
      missing.map((broker) => ({ does: "ensureBroker", spec: brokerSpec(target, broker) })),
    );
  }
  const wanted = parts.brokers.filter(({ broker }) => broker <= target.spec.brokers);
  const leaving = wanted.find(({ state }) => state === "stopping");
  if (leaving !== undefined) return leaves(target, leaving);
  const outdated = wanted.filter(({ revision }) => revision !== target.revision);
  // One that serves nobody goes first: the others serve meanwhile.
  const first = outdated.find(({ state }) => state !== "ready") ?? outdated[0];
  if (first === undefined) return undefined;
  const underWay = wanted.find(
    ({ revision, state }) => revision === target.revision && state !== "ready",
  );
  if (underWay !== undefined) return notReady("brokers", target, underWay);
  return perform("brokers", [{ does: "ensureBroker", spec: brokerSpec(target, first.broker) }]);
}

/** An end that somebody began: of a broker that is removed, or of a former revision. */
function leaves(target: OperationTarget, { broker, revision }: ObservedBroker): Next {
  if (revision === target.revision) return removing("brokers", [{ kind: "broker", broker }]);
  return perform("brokers", [{ does: "ensureBroker", spec: brokerSpec(target, broker) }]);
}

function brokersNotReady(target: OperationTarget, parts: ObservedCluster): Next | undefined {
  const wanted = parts.brokers.filter(({ broker }) => broker <= target.spec.brokers);
  const failed = wanted.find(({ state }) => state === "failed");
  const found = failed ?? wanted.find(({ state }) => state !== "ready");
  return found === undefined ? undefined : notReady("ready", target, found);
}

function notReady(step: OperationStep, target: OperationTarget, observed: ObservedBroker): Next {
  const { broker, detail, state } = observed;
  const said = `broker ${broker} is ${state}${detail === undefined ? "" : `: ${detail}`}`;
  if (state !== "failed") return wait(step, said);
  const action: Action = { does: "ensureBroker", spec: brokerSpec(target, broker) };
  return { kind: "perform", step, actions: [action], again: said };
}

function brokersTooMany(target: OperationTarget, parts: ObservedCluster): Next | undefined {
  const { brokers } = target.spec;
  const leaving = drained(parts.brokers.filter(({ broker }) => broker > brokers));
  if (leaving !== undefined) return leaving;
  const names = parts.names.filter(({ broker }) => broker > brokers);
  if (names.length === 0) return undefined;
  return removing(
    "drain",
    names.map(({ broker }) => ({ kind: "name", broker })),
  );
}

/** Again and again until they are gone: what removes them goes on with it. */
function drained(brokers: readonly ObservedBroker[]): Next | undefined {
  if (brokers.length === 0) return undefined;
  return removing(
    "drain",
    brokers.map(({ broker }) => ({ kind: "broker", broker })),
  );
}

/** How what there is of a cluster goes. */
export function nextOfDeletion({ objects, parts }: Omit<Observed, "cluster">): Next {
  const leaving = drained(parts.brokers);
  if (leaving !== undefined) return leaving;
  if (parts.names.length > 0) {
    return removing(
      "names",
      parts.names.map(({ broker }) => ({ kind: "name", broker })),
    );
  }
  if (parts.secrets.length > 0) {
    return removing(
      "secrets",
      parts.secrets.map((name) => ({ kind: "secret", name })),
    );
  }
  if (parts.store === "creating") return wait("store", "the metadata store is creating");
  if (parts.store !== "absent") return removing("store", [{ kind: "store" }]);
  if (objects === "none") return { kind: "finish", step: "record" };
  return perform("objects", [{ does: "deleteObjects" }]);
}

function brokerSpec({ revision, spec }: OperationTarget, broker: number): BrokerSpec {
  const { brokerSize, limits } = spec;
  return { broker, ...brokerSize, configs: limits, revision };
}

function brokersOf({ spec }: OperationTarget): readonly number[] {
  return Array.from({ length: spec.brokers }, (_, at) => at + 1);
}

function removing(step: OperationStep, parts: readonly ClusterPart[]): Next {
  return perform(
    step,
    parts.map((part) => ({ does: "remove", part })),
  );
}

function perform(step: OperationStep, actions: readonly Action[]): Next {
  return { kind: "perform", step, actions };
}

function wait(step: OperationStep, detail: string): Next {
  return { kind: "wait", step, detail };
}
