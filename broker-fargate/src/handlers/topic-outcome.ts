import type { TopicRefusal } from "@millrace/core";
import { ErrorCode } from "@millrace/wire";
import type { Broker } from "../broker.ts";
import type { TopicOutcome } from "../cluster/cluster.ts";
import { errorMessage } from "./error-message.ts";

/** What admin handlers need of the broker. */
export type ClusterHolder = Pick<Broker, "cluster" | "clock" | "misses">;

export interface Verdict {
  readonly errorCode: number;
  readonly errorMessage: string | null;
}

export const success: Verdict = { errorCode: ErrorCode.NONE, errorMessage: null };

/** What an admin client is told of a topic's change. */
export function verdictOf(outcome: TopicOutcome): Verdict {
  switch (outcome.kind) {
    case "done":
    case "decided":
      return success;
    case "refused":
      return { errorCode: codeOf(outcome.reason), errorMessage: errorMessage(outcome.message) };
    case "unavailable":
      return unavailable;
  }
}

/** The store did not answer in time: whether the change was made is not known. */
export const unavailable: Verdict = {
  errorCode: ErrorCode.REQUEST_TIMED_OUT,
  errorMessage: "The metadata store did not answer in time.",
};

function codeOf(reason: TopicRefusal): number {
  switch (reason) {
    case "invalidName":
      return ErrorCode.INVALID_TOPIC_EXCEPTION;
    case "exists":
      return ErrorCode.TOPIC_ALREADY_EXISTS;
    case "unknownTopic":
      return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
    case "invalidPartitions":
      return ErrorCode.INVALID_PARTITIONS;
    case "invalidReplicationFactor":
      return ErrorCode.INVALID_REPLICATION_FACTOR;
    case "invalidAssignment":
      return ErrorCode.INVALID_REPLICA_ASSIGNMENT;
    case "invalidConfig":
      return ErrorCode.INVALID_CONFIG;
    case "invalidRequest":
      return ErrorCode.INVALID_REQUEST;
    case "limitReached":
      return ErrorCode.POLICY_VIOLATION;
  }
}

/** Entries of a request by key, in the order of their first coming. */
export function groupedBy<Entry>(
  entries: readonly Entry[],
  keyOf: (entry: Entry) => string,
): ReadonlyMap<string, readonly Entry[]> {
  const groups = new Map<string, Entry[]>();
  for (const entry of entries) {
    const group = groups.get(keyOf(entry));
    if (group === undefined) groups.set(keyOf(entry), [entry]);
    else group.push(entry);
  }
  return groups;
}
