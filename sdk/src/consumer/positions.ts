/** Where partitions are read on: the group's offsets, or places that are looked up in the log. */
import type { ClusterView } from "../cluster/cluster-view.ts";
import { BrokerError } from "../errors.ts";
import type { Isolation, OffsetSpec, Transport } from "../transport/transport.ts";
import type { AssignedPartition } from "./assigned-partition.ts";
import type { Place, Position } from "./options.ts";

export interface PositionDeps {
  /** For committed offsets. */
  readonly groups: Transport["groups"];
  readonly transport: Transport;
  readonly view: ClusterView;
  readonly group: string | undefined;
  readonly from: Position;
  readonly isolation: Isolation;
}

/**
 * Finds out where the partitions are read on, and sets it. Rejects at the first error; what was
 * found by then is set.
 */
export async function resolvePositions(
  partitions: readonly AssignedPartition[],
  deps: PositionDeps,
): Promise<void> {
  const { group } = deps;
  const unplaced = partitions.filter(({ wanted }) => wanted === undefined);
  if (group !== undefined && unplaced.length > 0) {
    const offsets = await deps.groups.committed(group, unplaced);
    for (const partition of unplaced) {
      const found = offsets.find(
        (offset) => offset.topic === partition.topic && offset.partition === partition.partition,
      );
      if (partition.wanted !== undefined || partition.revoked) continue;
      if (found === undefined || found.offset < 0) partition.wanted = deps.from;
      else {
        partition.committed = found.offset;
        partition.fetchFrom = found.offset;
      }
    }
  }
  const places = partitions.filter((partition) => partition.fetchFrom === undefined);
  await Promise.all(places.map((partition) => place(partition, deps)));
}

async function place(partition: AssignedPartition, deps: PositionDeps): Promise<void> {
  const { seeks } = partition;
  const found = await offsetOf(partition, partition.wanted ?? deps.from, deps);
  if (partition.seeks === seeks) partition.fetchFrom = found;
}

async function offsetOf(
  partition: AssignedPartition,
  wanted: Place,
  deps: PositionDeps,
): Promise<number> {
  if (typeof wanted === "object" && "offset" in wanted) return wanted.offset;
  if (typeof wanted !== "object" || !("nearestTo" in wanted))
    return lookUp(partition, wanted, deps);
  const [first, end] = await Promise.all([
    listOffset(partition, "earliest", deps),
    listOffset(partition, "latest", deps),
  ]);
  return Math.min(Math.max(wanted.nearestTo, first), end);
}

async function lookUp(
  partition: AssignedPartition,
  wanted: Exclude<Position, { readonly offset: number }>,
  deps: PositionDeps,
): Promise<number> {
  const at: OffsetSpec =
    typeof wanted === "string" ? wanted : { timestampMs: Number(wanted.timestamp) };
  const offset = await listOffset(partition, at, deps);
  return offset < 0 ? listOffset(partition, "latest", deps) : offset;
}

async function listOffset(
  { topic, partition }: AssignedPartition,
  at: OffsetSpec,
  { transport, view, isolation }: PositionDeps,
): Promise<number> {
  await view.topic(topic);
  const known = view.partition(topic, partition);
  if (known === undefined || known.leader < 0) {
    const message = `partition ${partition} of ${topic} has no leader`;
    throw new BrokerError({ code: "LEADER_NOT_AVAILABLE", message, retriable: true });
  }
  const asked = [{ topic, partition, leaderEpoch: known.leaderEpoch }];
  const answers = await transport.listOffsets(known.leader, { partitions: asked, at, isolation });
  const answer = answers[0];
  if (answer?.error !== undefined) throw answer.error;
  return answer?.offset ?? -1;
}
