import type { ShownClusters } from "../app-type.ts";
import type { OperationId } from "../operations/operation-record.ts";
import type { ClusterOutcome } from "./cluster-record.ts";

/** The same clusters; whoever starts an operation of theirs has it begun at once, by this process. */
export function begunClusters(
  clusters: ShownClusters,
  begin: (operation: OperationId) => void,
): ShownClusters {
  const begun = async (outcome: Promise<ClusterOutcome>): Promise<ClusterOutcome> => {
    const settled = await outcome;
    if (settled.kind === "started") begin(settled.operation);
    return settled;
  };
  return {
    list: (page) => clusters.list(page),
    find: (id) => clusters.find(id),
    findByName: (name) => clusters.findByName(name),
    create: (wanted) => begun(clusters.create(wanted)),
    change: (id, change, at) => begun(clusters.change(id, change, at)),
    remove: (id, at) => begun(clusters.remove(id, at)),
    retry: (id, at) => begun(clusters.retry(id, at)),
    upgrade: (id, at) => begun(clusters.upgrade(id, at)),
  };
}
