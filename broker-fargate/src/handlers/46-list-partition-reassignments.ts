/**
 * ListPartitionReassignments v0 (KIP-455): none is ever under way. Replicas are the durable store's,
 * so partitions move between brokers as slots do, without a replica that has to catch up. It is
 * served because tools ask for reassignments before they show or change topics.
 */
import {
  ApiKey,
  ErrorCode,
  type ListPartitionReassignmentsRequest,
  type ListPartitionReassignmentsResponseInput,
} from "@millrace/wire";
import type { Handler } from "./handler.ts";

export function listPartitionReassignmentsHandler(): Handler<
  ListPartitionReassignmentsRequest,
  ListPartitionReassignmentsResponseInput
> {
  return {
    apiKey: ApiKey.ListPartitionReassignments,
    versions: { min: 0, max: 0 },
    handle: () => ({
      throttleTimeMs: 0,
      errorCode: ErrorCode.NONE,
      errorMessage: null,
      topics: [],
    }),
  };
}
