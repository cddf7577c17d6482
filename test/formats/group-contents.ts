/** The groups of a fixture, and what their members and committers ask a broker. */
import {
  ApiKey,
  encodeConsumerProtocolAssignment,
  encodeConsumerProtocolSubscription,
  ErrorCode,
  Writer,
} from "@millrace/wire";
import type { Place } from "./contents.ts";
import type { WireClient } from "../fixtures/wire-client.ts";

/** An id that is escaped in keys, and one that is too long for one. */
export const offsetGroups: readonly string[] = ["bücher/eins %", `long-${"é".repeat(180)}`];
/** The one that comes back in the test. */
export const reader: StaticMember = {
  groupId: "orders-readers",
  instanceId: "reader-1",
  userData: new Uint8Array([1, 2, 3]),
};
/** The most that a broker lets a member be silent by default. */
const sessionTimeoutMs = 1_800_000;

/** Commits as a consumer does that assigns itself its partitions. */
export async function commitOffset(
  client: WireClient,
  groupId: string,
  commit: Place & { readonly offset: number; readonly metadata: string },
): Promise<void> {
  const partition = {
    partitionIndex: commit.partition,
    committedOffset: commit.offset,
    committedLeaderEpoch: 1,
    committedMetadata: commit.metadata,
  };
  const topics = [{ name: commit.topic, partitions: [partition] }];
  const response = await client.ask(ApiKey.OffsetCommit, 9, { groupId, topics });
  const errorCode = response.topics[0]?.partitions[0]?.errorCode;
  if (errorCode !== 0) throw new Error(`OffsetCommit: error ${errorCode}`);
}

/** A static member of a group that reads `orders`. */
export interface StaticMember {
  readonly groupId: string;
  readonly instanceId: string;
  /** Opaque bytes of its subscription. */
  readonly userData: Uint8Array;
}

export interface Joined extends StaticMember {
  readonly errorCode: number;
  readonly generation: number;
  readonly memberId: string;
}

/** Joins; or joins again, as a member that is back after a restart or with its id. */
export async function join(
  client: WireClient,
  member: StaticMember & { readonly memberId?: string },
): Promise<Joined> {
  const { groupId, instanceId, memberId = "", userData } = member;
  const writer = new Writer();
  writer.int16(1);
  encodeConsumerProtocolSubscription(writer, 1, { topics: ["orders"], userData });
  const response = await client.ask(ApiKey.JoinGroup, 9, {
    groupId,
    sessionTimeoutMs,
    rebalanceTimeoutMs: 300_000,
    memberId,
    groupInstanceId: instanceId,
    protocolType: "consumer",
    protocols: [{ name: "range", metadata: writer.finishBytes() }],
  });
  const { errorCode, generationId: generation } = response;
  const identity = { groupId, instanceId, userData, memberId: response.memberId };
  return { ...identity, errorCode, generation };
}

/** What one member is to read of `orders`. */
export interface Share {
  readonly memberId: string;
  readonly partitions: readonly number[];
}

/** Fetches the member's assignment; as the leader, gives out the shares. */
export async function sync(
  client: WireClient,
  member: Joined,
  shares: readonly Share[],
): Promise<Uint8Array> {
  const response = await client.ask(ApiKey.SyncGroup, 5, {
    groupId: member.groupId,
    generationId: member.generation,
    memberId: member.memberId,
    groupInstanceId: member.instanceId,
    protocolType: "consumer",
    protocolName: "range",
    assignments: shares.map(({ memberId, partitions }) => {
      const writer = new Writer();
      writer.int16(1);
      const assignedPartitions = [{ topic: "orders", partitions }];
      encodeConsumerProtocolAssignment(writer, 1, { assignedPartitions });
      return { memberId, assignment: writer.finishBytes() };
    }),
  });
  if (response.errorCode !== 0) throw new Error(`SyncGroup: error ${response.errorCode}`);
  return response.assignment;
}

/** Two members, of which the first brings so much that a second item holds the other one. */
export async function formWideGroup(first: WireClient, second: WireClient): Promise<void> {
  const userData = new Uint8Array(45_000).fill(0x77);
  const wide = { groupId: "wide-readers", instanceId: "wide-1", userData };
  const narrow = { ...wide, instanceId: "wide-2", userData: new Uint8Array(3) };
  const alone = await join(first, wide);
  await sync(first, alone, [{ memberId: alone.memberId, partitions: [0, 1, 2] }]);
  const joining = join(second, narrow);
  // The join above waits for all members: the first one has to come again, once it is under way.
  await untilRebalancing(first, alone);
  const both = await Promise.all([join(first, alone), joining]);
  const shares = both.map(({ memberId }, index) => ({ memberId, partitions: [index] }));
  for (const { errorCode } of both) {
    if (errorCode !== 0) throw new Error(`JoinGroup: error ${errorCode}`);
  }
  await sync(first, both[0], shares);
  await sync(second, both[1], []);
}

async function untilRebalancing(client: WireClient, member: Joined): Promise<void> {
  const { generation: generationId, groupId, instanceId: groupInstanceId, memberId } = member;
  for (;;) {
    const request = { groupId, generationId, memberId, groupInstanceId };
    const { errorCode } = await client.ask(ApiKey.Heartbeat, 4, request);
    if (errorCode === ErrorCode.REBALANCE_IN_PROGRESS) return;
    if (errorCode !== 0) throw new Error(`Heartbeat: error ${errorCode}`);
  }
}
