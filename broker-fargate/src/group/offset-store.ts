import {
  checkCommit,
  type CommitRefusal,
  type CommittedOffset,
  expiredOffsets,
  jsonTextBytes,
  keys,
  offsetBytes,
  type OffsetKey,
  type Subscription,
  subscriptionOf,
} from "@millrace/core";
import type { GroupSlot, HeldGroup } from "./group-slot.ts";
import { commitRefreshParts, partBlocksMax, partBytesMax } from "./limits.ts";
import type { SlotWrite } from "./slot-writer.ts";
import { subscribedTopics } from "./subscribed-topics.ts";

export interface OffsetCommit extends OffsetKey {
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly metadata: string;
}

export interface CommitRequest {
  readonly groupId: string;
  readonly memberId: string;
  readonly instanceId: string | null;
  /** −1 without a membership. */
  readonly generation: number;
  /** The connection that it came on: it does not wait for company where it commits alone. */
  readonly connection?: string;
  /** How long the offsets live, of OffsetCommit v2–4; null: as long as the broker says. */
  readonly retentionMs: number | null;
  readonly commits: readonly OffsetCommit[];
}

export type CommitResult =
  | "committed"
  | "metadataTooLarge"
  | "coordinatorNotAvailable"
  | "notCoordinator";

export type CommitOutcome =
  | {
      readonly kind: "refused";
      readonly reason: CommitRefusal | "groupNotFound" | "invalidGroupId";
    }
  /** One result for each commit, in their order. */
  | { readonly kind: "done"; readonly results: readonly CommitResult[] };

interface CommitLimits {
  readonly metadataLengthMax: number;
  readonly retentionMs: number;
}

/**
 * Commits offsets of a group that is held. Its blocks are written in parts: each is durable whole
 * or not, and its partitions are answered together. An unchanged commit writes nothing, but waits
 * for what is being written: its answer says that the offset is durable.
 */
export async function commitOffsets(
  slot: GroupSlot,
  held: HeldGroup,
  about: { readonly request: CommitRequest; readonly limits: CommitLimits },
): Promise<CommitOutcome> {
  const { request, limits } = about;
  const decision = slot.decision(held);
  const checked = checkCommit(decision, request);
  if (checked !== "ok") return { kind: "refused", reason: checked };
  slot.apply(held, decision.effects);
  const committing = new CommitParts(slot, held, request.connection);
  const results = request.commits.map(async (commit): Promise<CommitResult> => {
    if (commit.metadata.length > limits.metadataLengthMax) return "metadataTooLarge";
    return committing.add(commit, { nowMs: decision.nowMs, request, limits });
  });
  committing.finish();
  return { kind: "done", results: await Promise.all(results) };
}

/** Collects changed blocks, and writes them as a part before it grows too large. */
class CommitParts {
  readonly #slot: GroupSlot;
  readonly #held: HeldGroup;
  readonly #connection: string | undefined;
  #blocks = new PartBlocks();
  #part: Promise<CommitResult>;
  #written: (written: Promise<unknown> | undefined) => void = () => {};

  constructor(slot: GroupSlot, held: HeldGroup, connection: string | undefined) {
    this.#slot = slot;
    this.#held = held;
    this.#connection = connection;
    this.#part = this.#begin();
  }

  add(
    commit: OffsetCommit,
    about: {
      readonly nowMs: number;
      readonly request: CommitRequest;
      readonly limits: CommitLimits;
    },
  ): Promise<CommitResult> {
    const { nowMs, request, limits } = about;
    const { offsets } = this.#held;
    const { topicId, partition, offset, leaderEpoch, metadata } = commit;
    const expireMs = request.retentionMs === null ? null : nowMs + request.retentionMs;
    const next = { offset, leaderEpoch, metadata, commitMs: nowMs, expireMs };
    const key = { topicId, partition };
    if (isUnchanged(offsets.get(key), next, limits.retentionMs)) {
      offsets.touch(key, nowMs);
      return this.#part;
    }
    for (const block of offsets.set(key, next)) this.#blocks.add(this.#held, block);
    this.#blocks.bytes += offsetBytes(next);
    const part = this.#part;
    if (this.#blocks.isFull) {
      this.finish();
      this.#part = this.#begin();
    }
    return part;
  }

  finish(): void {
    const { numbers } = this.#blocks;
    this.#blocks = new PartBlocks();
    if (numbers.size === 0) {
      this.#written(this.#slot.durable(this.#held));
      return;
    }
    const writes = blockWrites(this.#slot, this.#held, numbers);
    this.#written(this.#slot.write(this.#held, writes, "soon", this.#connection));
  }

  #begin(): Promise<CommitResult> {
    const written = new Promise<unknown>((resolve) => {
      this.#written = resolve;
    });
    return written.then(
      () => "committed",
      (error: { readonly reason: "coordinatorNotAvailable" | "notCoordinator" }) => error.reason,
    );
  }
}

/** One change adds two blocks at most, so a part that ends when it is full is one transaction. */
class PartBlocks {
  readonly numbers = new Set<number>();
  /** At most, as JSON. */
  bytes = 0;

  get isFull(): boolean {
    return this.numbers.size >= partBlocksMax || this.bytes >= partBytesMax;
  }

  add({ groupId, offsets }: HeldGroup, block: number): void {
    if (this.numbers.has(block)) return;
    this.numbers.add(block);
    this.bytes += blockItemBytes(groupId, offsets.blockBytes(block));
  }
}

/** About, of a block's item as JSON. */
function blockItemBytes(groupId: string, blockBytes: number): number {
  return blockBytes + jsonTextBytes(groupId) + 60;
}

function isUnchanged(
  before: CommittedOffset | undefined,
  next: CommittedOffset,
  retentionMs: number,
): boolean {
  if (before === undefined || before.expireMs !== null || next.expireMs !== null) return false;
  if (before.offset !== next.offset || before.leaderEpoch !== next.leaderEpoch) return false;
  if (before.metadata !== next.metadata) return false;
  return next.commitMs - before.commitMs < retentionMs / commitRefreshParts;
}

function blockWrites(
  slot: GroupSlot,
  held: HeldGroup,
  blocks: Iterable<number>,
): readonly SlotWrite[] {
  return [...blocks].map((number) => {
    const key = keys.offsets(slot.slot, held.keyName, String(number).padStart(8, "0"));
    const block = held.offsets.snapshot(number);
    if (block === undefined) return { key, value: undefined, bytes: 0 };
    const value = { groupId: held.groupId, offsets: block.stored };
    return { key, value, bytes: blockItemBytes(held.groupId, block.bytes) };
  });
}

/** Removes offsets; resolves when that is durable. Those that are not there are no matter. */
export async function removeOffsets(
  slot: GroupSlot,
  held: HeldGroup,
  gone: readonly OffsetKey[],
): Promise<void> {
  const parts: Promise<void>[] = [];
  let blocks = new PartBlocks();
  const flush = (): void => {
    if (blocks.numbers.size === 0) return;
    parts.push(slot.write(held, blockWrites(slot, held, blocks.numbers), "soon"));
    blocks = new PartBlocks();
  };
  for (const key of gone) {
    const block = held.offsets.remove(key);
    if (block !== undefined) blocks.add(held, block);
    if (blocks.isFull) flush();
  }
  flush();
  await Promise.all(parts);
}

/** Removes the group with all its offsets; the group's own items go last, with the last offsets. */
export async function removeGroup(slot: GroupSlot, held: HeldGroup): Promise<void> {
  const all: OffsetKey[] = [];
  for (const [topicId, partitions] of held.offsets.topics()) {
    for (const partition of partitions.keys()) all.push({ topicId, partition });
  }
  const removed = removeOffsets(slot, held, all);
  const deletions = slot.groupDeletions(held);
  const deleted = deletions.length === 0 ? undefined : slot.write(held, deletions, "soon");
  slot.forget(held);
  await Promise.all([removed, deleted]);
}

export function groupSubscription(held: HeldGroup): Subscription {
  return subscriptionOf(held.classic, subscribedTopics);
}

/** Removes what nobody needs any more; returns how many offsets that were. */
export async function expireGroup(
  slot: GroupSlot,
  held: HeldGroup,
  about: {
    readonly retentionMs: number;
    readonly nowMs: number;
    readonly nameOf: (key: OffsetKey) => string | undefined;
  },
): Promise<number> {
  const subscription = groupSubscription(held);
  const expired = expiredOffsets(held.classic, held.offsets, { ...about, subscription });
  const { state, pendingJoins } = held.classic;
  const goes = state === "Empty" && pendingJoins.size === 0;
  if (goes && expired.length === held.offsets.size) await removeGroup(slot, held);
  else await removeOffsets(slot, held, expired);
  return expired.length;
}
