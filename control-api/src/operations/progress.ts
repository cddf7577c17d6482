/** How an operation's record changes as it goes on. Pure; times are the clock's wall time. */
import { DriverError, ObjectError, type Random } from "@millrace/core";
import {
  failuresMax,
  faultCharactersMax,
  leaseMs,
  stepBackoffMsFirst,
  stepBackoffMsMax,
  stillMsMax,
} from "./limits.ts";
import type { Action, Next } from "./next-step.ts";
import type {
  Lease,
  OperationFault,
  OperationKind,
  OperationRecord,
  OperationStep,
} from "./operation-record.ts";
import { stepsOf } from "./steps.ts";

/** At a step; what is done already is not undone in the count. */
export function atStep(operation: OperationRecord, step: OperationStep): OperationRecord {
  const at = stepIndex(operation.kind, step);
  return { ...operation, step, stepsDone: Math.max(operation.stepsDone, at) };
}

function stepIndex(kind: OperationKind, step: OperationStep): number {
  return Math.max(0, stepsOf(kind).indexOf(step));
}

/** After something was performed that had not been performed just before. */
export function afterPerformed(
  operation: OperationRecord,
  next: Extract<Next, { readonly kind: "perform" }>,
  nowMs: number,
): OperationRecord {
  const performed = wordsOf(next.actions);
  const at = answered(atStep(operation, next.step));
  return { ...at, failures: 0, stillSinceMs: nowMs, performed };
}

/** Whether the same was performed just before, without an effect that is seen. */
export function isRepeated(operation: OperationRecord, actions: readonly Action[]): boolean {
  return operation.performed === wordsOf(actions) && actions[0]?.does !== "deleteObjects";
}

function wordsOf(actions: readonly Action[]): string {
  const words = actions.map((action) => {
    switch (action.does) {
      case "ensureName":
        return `name ${action.broker}`;
      case "ensureBroker":
        return `broker ${action.spec.broker} of ${action.spec.revision}`;
      case "remove": {
        const { part } = action;
        const which = "broker" in part ? part.broker : "name" in part ? part.name : "";
        return `not ${part.kind} ${which}`;
      }
      case "issueCertificate":
      case "ensureStore":
      case "deleteObjects":
        return action.does;
    }
  });
  return words.join(", ");
}

/** After a look, or a call, that came to its end: those that failed before it count no more. */
export function answered(operation: OperationRecord): OperationRecord {
  const { unanswered: _, ...rest } = operation;
  return rest;
}

/** Undefined: it failed too often. */
export function afterFailure(
  operation: OperationRecord,
  { code }: Pick<OperationFault, "code">,
  { nowMs, random }: { readonly nowMs: number; readonly random: Random },
): OperationRecord | undefined {
  const { failures, unanswered = 0 } = operation;
  const isOfBroker = code === "broker-failed";
  const times = (isOfBroker ? failures : unanswered) + 1;
  if (times > failuresMax) return undefined;
  const longestMs = Math.min(stepBackoffMsMax, stepBackoffMsFirst * 2 ** (times - 1));
  const waitMs = Math.ceil(longestMs / 2) + random.below(Math.ceil(longestMs / 2));
  const counted = isOfBroker ? { failures: times } : { unanswered: times };
  return { ...operation, ...counted, notBeforeMs: nowMs + waitMs };
}

/** Whether what was begun may still come to its end by itself. */
export function isInTime({ stillSinceMs }: OperationRecord, nowMs: number): boolean {
  return nowMs - stillSinceMs <= stillMsMax;
}

export function leaseFrom(holder: string, nowMs: number): Lease {
  return { holder, untilMs: nowMs + leaseMs };
}

/** Undefined: the error is none of what is behind the ports, but a bug, or the control store's. */
export function faultOf(error: unknown, step: OperationStep): OperationFault | undefined {
  if (!(error instanceof DriverError || error instanceof ObjectError)) return undefined;
  const code = error.retriable ? "driver-unavailable" : "driver-refused";
  return fault(code, step, error.message);
}

export function fault(
  code: OperationFault["code"],
  step: OperationStep,
  detail: string,
): OperationFault {
  return { code, step, detail: detail.slice(0, faultCharactersMax) };
}
