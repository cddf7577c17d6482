import { ClusterUnavailableError, KafkaRefusal } from "../ports/cluster-admin.ts";
import { type ProblemKind, ProblemError } from "../problems.ts";

/** Refusals of brokers that are more than "it does not take that". */
const kinds: Readonly<Record<string, ProblemKind>> = {
  TOPIC_ALREADY_EXISTS: "already-exists",
  UNKNOWN_TOPIC_OR_PARTITION: "not-found",
  UNKNOWN_TOPIC_ID: "not-found",
  GROUP_ID_NOT_FOUND: "not-found",
  NON_EMPTY_GROUP: "group-not-empty",
  // Of a commit from outside the group: members are there.
  UNKNOWN_MEMBER_ID: "group-not-empty",
};

/** What a cluster's answer, or that there is none, means to the caller; undefined: it is not one. */
export function clusterProblem(error: Error): ProblemError | undefined {
  if (error instanceof KafkaRefusal) {
    const { code, message } = error;
    return new ProblemError(kinds[code] ?? "refused", message, { code, cause: error });
  }
  if (error instanceof ClusterUnavailableError) {
    const headers = { "retry-after": "2" };
    return new ProblemError("cluster-unavailable", error.message, { headers, cause: error });
  }
  return undefined;
}
