/**
 * Kafka's range assignor: of each topic, members in the order of their ids get equal runs of
 * partitions, the first ones one more. It is the first of Java's default assignors, so a group may
 * have members of both clients.
 */
import type { GroupMemberTopics, MemberAssignment } from "../transport/transport.ts";

export const assignorName: string = "range";

/** `partitionCounts` by topic; a topic that is not in it has none. */
export function assignRanges(
  members: readonly GroupMemberTopics[],
  partitionCounts: ReadonlyMap<string, number>,
): readonly MemberAssignment[] {
  const assigned = new Map(
    members.map((member): [string, { topic: string; partition: number }[]] => [
      member.memberId,
      [],
    ]),
  );
  for (const [topic, count] of partitionCounts) {
    // A static member keeps its place however often it comes with a new member id.
    const takers = members
      .filter(({ topics }) => topics.includes(topic))
      .map(({ memberId, instanceId }) => ({ memberId, order: instanceId ?? memberId }))
      .sort((a, b) => (a.order < b.order ? -1 : 1));
    const share = Math.floor(count / takers.length);
    const larger = count % takers.length;
    let partition = 0;
    for (const [index, { memberId }] of takers.entries()) {
      const end = partition + share + (index < larger ? 1 : 0);
      for (; partition < end; partition += 1) assigned.get(memberId)?.push({ topic, partition });
    }
  }
  return Array.from(assigned, ([memberId, partitions]) => ({ memberId, partitions }));
}
