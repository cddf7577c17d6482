import type { Clock, IncarnationId, Leadership } from "@millrace/core";
import { servedLookMs, servedMsMax } from "../limits.ts";

/** Of a member's view of its cluster. */
export interface SeenCluster {
  readonly incarnation: IncarnationId;
  readonly isRunning: boolean;
  readonly leadership: Pick<Leadership, "leaders">;
  readonly live: readonly { readonly incarnation: IncarnationId }[];
}

/**
 * Resolves when every slot has a leader that lives, as this member sees it: so that whoever waits for
 * its readiness, to replace the next broker say, takes no second leader away. After `servedMsMax` it
 * resolves anyway: a slot that nobody can serve must not keep clients from the others.
 */
export async function whenServed(cluster: SeenCluster, clock: Clock): Promise<void> {
  const lateMs = clock.monotonicMs() + servedMsMax;
  while (cluster.isRunning && !isServed(cluster) && clock.monotonicMs() < lateMs) {
    await new Promise<void>((resolve) => clock.after(servedLookMs, resolve));
  }
}

function isServed({ incarnation, leadership, live }: SeenCluster): boolean {
  const serving = new Set([incarnation, ...live.map((one) => one.incarnation)]);
  return leadership.leaders.every((leader) => {
    return leader !== undefined && serving.has(leader.incarnation);
  });
}
