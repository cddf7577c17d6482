import { type ClusterId, MetadataError } from "@millrace/core";
import type { ControlDependencies } from "../app-type.ts";
import type { ClusterRecord } from "../clusters/cluster-record.ts";
import type { ClusterAdmin } from "../ports/cluster-admin.ts";
import { notFound, ProblemError } from "../problems.ts";

type Found = Pick<ControlDependencies, "clusters" | "access">;

/** Throws ProblemError where there is none. */
export async function findCluster({ clusters }: Found, id: ClusterId): Promise<ClusterRecord> {
  const cluster = await clusters.find(id);
  if (cluster === undefined) throw notFound(`cluster ${id}`);
  return cluster;
}

/** Of a cluster whose brokers can be asked. Throws ProblemError, ClusterUnavailableError. */
export async function adminOf(deps: Found, id: ClusterId): Promise<ClusterAdmin> {
  const cluster = await findCluster(deps, id);
  if (cluster.addresses.length === 0) {
    const detail = `cluster ${id} has no brokers yet: it is ${cluster.state}`;
    throw new ProblemError("wrong-state", detail);
  }
  return deps.access.admin(cluster);
}

/**
 * What its metadata answer. Of a cluster that is not there yet, or any more, there may be none to
 * ask, which is its state and no failure. Throws ProblemError, MetadataError.
 */
export async function ofThere<Answer>(
  { id, state }: ClusterRecord,
  ask: () => Promise<Answer>,
): Promise<Answer> {
  try {
    return await ask();
  } catch (error) {
    const isThere = state === "active" || state === "updating";
    if (isThere || !(error instanceof MetadataError) || error.applied === "maybe") throw error;
    const detail = `the metadata of cluster ${id} can't be asked: it is ${state}`;
    throw new ProblemError("wrong-state", detail, { cause: error });
  }
}
