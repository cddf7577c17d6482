import { type BrokerId, slot } from "@millrace/core";
import type { ClusterView } from "./cluster-view.ts";

/** All live brokers, which are the replicas of any slot where as many are asked for. */
export function liveBrokers(view: Pick<ClusterView, "replicasOf">): readonly BrokerId[] {
  return view.replicasOf(slot(0), Number.MAX_SAFE_INTEGER);
}
