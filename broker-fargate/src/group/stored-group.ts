import {
  type GroupSnapshot,
  type Item,
  type ItemValue,
  jsonTextBytes,
  type JsonValue,
  type MemberProtocol,
  type MemberSnapshot,
  type StoredOffset,
  type TopicId,
  topicId,
  readingItem,
  UnreadableItemError,
} from "@millrace/core";
import { groupItemBytes } from "./limits.ts";

/**
 * A group's items, format 1: `slot/{slot}/group/{name}` holds the generation and the first members,
 * `slot/{slot}/group/{name}/{n}` the next ones, so that no item grows with the group. All of them
 * are written in one transaction. Bytes are base64.
 */
export interface GroupItem {
  readonly value: ItemValue;
  /** About its size as JSON. */
  readonly bytes: number;
}

export function groupItems(groupId: string, snapshot: GroupSnapshot): readonly GroupItem[] {
  const parts: { bytes: number; readonly members: JsonValue[] }[] = [{ bytes: 0, members: [] }];
  let part = parts[0];
  for (const member of snapshot.members) {
    if (part === undefined || part.bytes > groupItemBytes) {
      part = { bytes: 0, members: [] };
      parts.push(part);
    }
    const json = memberJson(member);
    part.bytes += Buffer.byteLength(JSON.stringify(json));
    part.members.push(json);
  }
  const { state, generation, protocolType, protocolName, leader, stateSinceMs } = snapshot;
  const head = { groupId, state, protocolType, protocolName, leader, stateSinceMs };
  const idBytes = jsonTextBytes(groupId) + 100;
  const headBytes = Buffer.byteLength(JSON.stringify(head)) + 100;
  return parts.map(({ bytes, members }, index) => ({
    bytes: bytes + (index === 0 ? headBytes : idBytes),
    value:
      index === 0
        ? { ...head, generation, items: parts.length, members }
        : { groupId, generation, members },
  }));
}

function memberJson(member: MemberSnapshot): JsonValue {
  return {
    id: member.memberId,
    instanceId: member.instanceId,
    clientId: member.clientId,
    clientHost: member.clientHost,
    sessionTimeoutMs: member.sessionTimeoutMs,
    rebalanceTimeoutMs: member.rebalanceTimeoutMs,
    protocols: member.protocols.map(({ name, metadata }) => [name, base64(metadata)]),
    assignment: base64(member.assignment),
  };
}

/** The group of its first item and the further ones in their order. */
export function readGroup(
  first: Item,
  further: readonly Item[],
): { readonly groupId: string; readonly snapshot: GroupSnapshot } {
  const { groupId, state, generation, protocolType, protocolName, leader, stateSinceMs, items } =
    first.value;
  if (state !== "Empty" && state !== "CompletingRebalance" && state !== "Stable") {
    throw new UnreadableItemError(first.key, "state is unknown");
  }
  if (
    typeof groupId !== "string" ||
    typeof generation !== "number" ||
    typeof stateSinceMs !== "number"
  ) {
    throw new UnreadableItemError(first.key, "groupId, generation or stateSinceMs is missing");
  }
  if (items !== 1 + further.length) throw new UnreadableItemError(first.key, "items are missing");
  const snapshot = {
    state,
    generation,
    protocolType: textOrNull(first.key, protocolType),
    protocolName: textOrNull(first.key, protocolName),
    leader: textOrNull(first.key, leader),
    stateSinceMs,
    members: [first, ...further].flatMap(readMembers),
  } as const;
  return { groupId, snapshot };
}

function readMembers(item: Item): readonly MemberSnapshot[] {
  const { members } = item.value;
  return listOf(item.key, members).map((json) => readMember(item.key, json));
}

function readMember(key: string, json: JsonValue): MemberSnapshot {
  if (typeof json !== "object" || json === null || !("id" in json)) {
    throw new UnreadableItemError(key, "a member is no object");
  }
  const { id, instanceId = null, clientId, clientHost, protocols, assignment } = json;
  const { sessionTimeoutMs, rebalanceTimeoutMs } = json;
  if (typeof sessionTimeoutMs !== "number" || typeof rebalanceTimeoutMs !== "number") {
    throw new UnreadableItemError(key, "a member has no timeouts");
  }
  return {
    memberId: text(key, id),
    instanceId: textOrNull(key, instanceId),
    clientId: text(key, clientId),
    clientHost: text(key, clientHost),
    sessionTimeoutMs,
    rebalanceTimeoutMs,
    protocols: listOf(key, protocols).map((protocol) => readProtocol(key, protocol)),
    assignment: bytesOf(text(key, assignment)),
  };
}

function readProtocol(key: string, json: JsonValue): MemberProtocol {
  const [name, metadata] = listOf(key, json);
  return { name: text(key, name), metadata: bytesOf(text(key, metadata)) };
}

/** `slot/{slot}/offsets/{name}/{block}`: the offsets of one block, by topic id. */
export function readBlock(item: Item): {
  readonly groupId: string;
  readonly offsets: readonly (readonly [TopicId, readonly StoredOffset[]])[];
} {
  return readingItem(item.key, () => blockOf(item));
}

function blockOf(item: Item): ReturnType<typeof readBlock> {
  const { groupId, offsets } = item.value;
  if (typeof offsets !== "object" || offsets === null || Array.isArray(offsets)) {
    throw new UnreadableItemError(item.key, "offsets is not an object");
  }
  const topics = Object.entries(offsets).map(
    ([id, entries]) =>
      [topicId(id), listOf(item.key, entries).map((entry) => readOffset(item.key, entry))] as const,
  );
  return { groupId: text(item.key, groupId), offsets: topics };
}

function readOffset(key: string, json: JsonValue): StoredOffset {
  const [partition, offset, leaderEpoch, metadata, commitMs, expireMs] = listOf(key, json);
  if (
    typeof partition !== "number" ||
    typeof offset !== "number" ||
    typeof leaderEpoch !== "number" ||
    typeof commitMs !== "number"
  ) {
    throw new UnreadableItemError(key, "an offset is incomplete");
  }
  const common = [partition, offset, leaderEpoch, text(key, metadata), commitMs] as const;
  return typeof expireMs === "number" ? [...common, expireMs] : common;
}

function listOf(key: string, json: JsonValue | undefined): readonly JsonValue[] {
  if (!Array.isArray(json)) throw new UnreadableItemError(key, "a list is missing");
  return json;
}

function text(key: string, json: JsonValue | undefined): string {
  if (typeof json !== "string") throw new UnreadableItemError(key, "a text is missing");
  return json;
}

function textOrNull(key: string, json: JsonValue | undefined): string | null {
  return json === null ? null : text(key, json);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

function bytesOf(base64Text: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64Text, "base64"));
}
