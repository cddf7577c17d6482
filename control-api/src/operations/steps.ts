import type { OperationKind, OperationStep } from "./operation-record.ts";

type Steps = readonly [OperationStep, ...OperationStep[]];

const steps: Readonly<Record<OperationKind, Steps>> = {
  createCluster: ["store", "names", "certificate", "brokers", "ready", "record"],
  updateCluster: ["store", "names", "certificate", "brokers", "ready", "drain", "record"],
  deleteCluster: ["drain", "names", "secrets", "store", "objects", "record"],
};

/** In their order. */
export function stepsOf(kind: OperationKind): Steps {
  return steps[kind];
}
