import type { ClusterId } from "@millrace/core";
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
