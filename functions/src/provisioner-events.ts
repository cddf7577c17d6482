import { asOperationId, type OperationId, operationKeys } from "@millrace/control-api";
import type { DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from "aws-lambda";
import { invocationEndMs } from "./limits.ts";

/** What the schedule sends, instead of EventBridge's own envelope. */
export interface SweepEvent {
  readonly source: "millrace.schedule";
  readonly kind: "sweep";
}

export type ProvisionerEvent = DynamoDBStreamEvent | SweepEvent;

/** What the events ask for. */
export interface Provisioning {
  /** Runs it until it ended, or the time is over; a failure of the store rejects. */
  run(id: OperationId, untilMs: number): Promise<void>;
  /** Resumes what stands still, looks after certificates and brokers, and removes what is left over. */
  sweep(untilMs: number): Promise<void>;
}

/**
 * A record of the control table's stream runs the operation that it names; the schedule sweeps.
 * Events may come twice, late, and at once: an operation has a lease, and each of its steps may be
 * repeated. A record that is not an operation's is passed over.
 *
 * Records of one batch run at once, because each may take minutes; those whose run was rejected are
 * named, so that only they come again.
 */
export async function onEvent(
  event: ProvisionerEvent,
  at: { readonly provisioning: Provisioning; readonly nowMs: number; readonly remainingMs: number },
): Promise<DynamoDBBatchResponse | undefined> {
  const untilMs = at.nowMs + Math.max(0, at.remainingMs - invocationEndMs);
  if (!("Records" in event)) {
    await at.provisioning.sweep(untilMs);
    return undefined;
  }
  const runs = event.Records.map(async (record) => {
    const id = operationOf(record);
    if (id !== undefined) await at.provisioning.run(id, untilMs);
  });
  const outcomes = await Promise.allSettled(runs);
  const batchItemFailures = event.Records.flatMap((record, index) => {
    const failed = outcomes[index]?.status === "rejected";
    return failed ? [{ itemIdentifier: record.dynamodb?.SequenceNumber ?? "" }] : [];
  });
  return { batchItemFailures };
}

function operationOf(record: DynamoDBRecord): OperationId | undefined {
  const key = record.dynamodb?.Keys?.["sk"]?.S ?? "";
  const prefix = `${operationKeys.prefix}/`;
  return key.startsWith(prefix) ? asOperationId(key.slice(prefix.length)) : undefined;
}
