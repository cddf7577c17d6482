import { type BrokerId, counterOf, type IncarnationId, type MetadataStore } from "@millrace/core";
import { Members, readHeartbeats } from "./members.ts";

/** A newer process has this one's broker id: that one serves, and this one has to end. */
export class ReplacedError extends Error {
  override readonly name = "ReplacedError";
}

/**
 * A process whose incarnation is over begins a new one only where no other process has begun one of
 * the same broker since: two with one `node.id` would take the slots from each other for ever.
 * `former`: this process's last incarnation. Throws ReplacedError, MetadataError.
 */
export async function assertNotReplaced(
  store: MetadataStore,
  { brokerId, former }: { readonly brokerId: BrokerId; readonly former: IncarnationId },
): Promise<void> {
  const members = new Members(store);
  await members.update(await readHeartbeats(store), () => false);
  const isNewer = members.open.some((one) => {
    return one.brokerId === brokerId && counterOf(one.incarnation) > counterOf(former);
  });
  if (!isNewer) return;
  throw new ReplacedError(
    `a newer process has node.id ${brokerId}: it serves, and this one ends. Give each its own node.id`,
  );
}
