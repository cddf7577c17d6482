import { type IncarnationId, keys, type MetadataStore } from "@millrace/core";
import type { LateDependencies } from "./membership-deps.ts";

/**
 * The controller's housekeeping: heartbeats that are left over of those that are over, and journals
 * of the dead that lead nothing, which no takeover closes. Throws MetadataError, ObjectError.
 */
export async function tidy(
  {
    closeJournal,
    store,
  }: Pick<LateDependencies, "closeJournal"> & { readonly store: MetadataStore },
  of: { readonly leftOver: readonly IncarnationId[]; readonly dead: readonly IncarnationId[] },
): Promise<void> {
  for (const incarnation of of.leftOver) {
    await store.transact([{ kind: "delete", key: keys.heartbeat(incarnation) }]);
  }
  if (closeJournal === undefined) return;
  for (const dead of of.dead) await closeJournal(dead);
}
