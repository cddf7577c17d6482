import type { Clock, ClusterId, Random } from "@millrace/core";
import { newId } from "../clusters/new-id.ts";
import type {
  OperationId,
  OperationKind,
  OperationRecord,
  OperationTarget,
} from "./operation-record.ts";
import { stepsOf } from "./steps.ts";

/** One that nobody has begun yet. */
export function newOperation(
  deps: { readonly clock: Clock; readonly random: Random },
  of: {
    readonly clusterId: ClusterId;
    readonly kind: OperationKind;
    readonly target?: OperationTarget;
  },
): OperationRecord {
  const steps = stepsOf(of.kind);
  const nowMs = deps.clock.wallMs();
  return {
    id: newId("op", deps) as OperationId,
    ...of,
    ...{ state: "pending", step: steps[0], stepsDone: 0, stepsTotal: steps.length },
    ...{ startedAtMs: nowMs, failures: 0, stillSinceMs: nowMs, notBeforeMs: nowMs, version: 1 },
  };
}
