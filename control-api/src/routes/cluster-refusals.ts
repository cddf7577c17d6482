import { isSameSpec, changedSpec } from "../clusters/cluster-rules.ts";
import type {
  ClusterCatalogue,
  ClusterRecord,
  ClusterRefusal,
  NewCluster,
} from "../clusters/cluster-record.ts";
import { notFound, ProblemError } from "../problems.ts";

/** A refusal of the catalogue as the problem that the caller is told. */
export function refusalOf(refusal: ClusterRefusal): ProblemError {
  switch (refusal.kind) {
    case "notFound":
      return notFound("such cluster");
    case "nameTaken":
      return new ProblemError("already-exists", `cluster ${refusal.by} has this name`);
    case "tooManyClusters":
      return new ProblemError("limit-reached", `there may be ${refusal.most} clusters`);
    case "busy":
      return new ProblemError("operation-under-way", `operation ${refusal.operation} is under way`);
    case "stale":
      return new ProblemError("precondition-failed", `its version is ${refusal.version}`);
    case "protected":
      return new ProblemError("deletion-protected", "its deletionProtection is on");
    case "wrongState":
      return new ProblemError("wrong-state", `the cluster is ${refusal.state}`);
    case "invalid": {
      const [first] = refusal.errors;
      const detail = first === undefined ? "it breaks a rule" : `${first.pointer}: ${first.detail}`;
      return new ProblemError("invalid-request", detail, { errors: refusal.errors });
    }
  }
}

/**
 * The cluster that a former try of the same request made, whose answer nobody saw. Throws
 * ProblemError where the one of that name is another one: it was there before the first try, or it
 * is not what was asked for.
 */
export async function createdBefore(
  clusters: Pick<ClusterCatalogue, "findByName">,
  { startedMs, wanted }: { readonly wanted: NewCluster; readonly startedMs: number },
  refusal: ClusterRefusal,
): Promise<ClusterRecord> {
  const found = await clusters.findByName(wanted.name);
  const isNewer = found !== undefined && found.createdAtMs >= startedMs;
  if (!isNewer || !isSameSpec(found.spec, changedSpec(wanted.spec, {}))) throw refusalOf(refusal);
  return found;
}
