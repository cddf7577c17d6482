import { assert } from "../assert.ts";
import type { TopicId } from "../ids.ts";
import { jsonTextBytes } from "../json-text.ts";

/**
 * A group's committed offsets, laid out in small blocks, each one item of the metadata store, so
 * that a commit costs the bytes around what it changes and no item grows with what users send.
 *
 * An entry stays in its block until it outgrows it; then it moves, and both blocks are named
 * together: they must be written in one transaction, or the entry could be in neither.
 */

export interface CommittedOffset {
  readonly offset: number;
  /** −1: not known to the client. */
  readonly leaderEpoch: number;
  readonly metadata: string;
  /** Wall time of the commit, as written. */
  readonly commitMs: number;
  /** Set by OffsetCommit v2–4 with a retention of its own: wall time from which it may go. */
  readonly expireMs: number | null;
}

export interface OffsetKey {
  readonly topicId: TopicId;
  readonly partition: number;
}

/** `[partition, offset, leaderEpoch, metadata, commitMs, expireMs?]` */
export type StoredOffset =
  | readonly [number, number, number, string, number]
  | readonly [number, number, number, string, number, number];

export type StoredOffsets = { readonly [topicId: string]: readonly StoredOffset[] };

/** A block's size by our estimate of its JSON, in bytes: full, and too large to keep an entry. */
export const blockBytesFull: number = 1_000;
export const blockBytesMax: number = 2_000;
const entryBytes = 48;
const topicBytes = 36;

interface Entry extends CommittedOffset {
  readonly block: number;
  /** When it was last committed, unchanged commits that wrote nothing included. */
  lastCommitMs: number;
}

interface Block {
  bytes: number;
  readonly partitions: Map<TopicId, Set<number>>;
}

export class GroupOffsets {
  readonly #topics = new Map<TopicId, Map<number, Entry>>();
  readonly #blocks = new Map<number, Block>();
  #lastBlock = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get({ topicId, partition }: OffsetKey): CommittedOffset | undefined {
    return this.#topics.get(topicId)?.get(partition);
  }

  topics(): IterableIterator<[TopicId, ReadonlyMap<number, CommittedOffset>]> {
    return this.#topics.entries();
  }

  /** Of a topic, the partitions that have one. */
  partitionsOf(topicId: TopicId): readonly number[] {
    return [...(this.#topics.get(topicId)?.keys() ?? [])];
  }

  blocks(): readonly number[] {
    return [...this.#blocks.keys()];
  }

  /** Returns the blocks to write, together. */
  set(key: OffsetKey, committed: CommittedOffset): readonly number[] {
    const bytes = offsetBytes(committed);
    const old = this.#topics.get(key.topicId)?.get(key.partition);
    if (old === undefined) {
      const block = this.#roomyBlock(bytes);
      this.#place(key, { ...committed, block, lastCommitMs: committed.commitMs });
      return [block];
    }
    const grown = (this.#blocks.get(old.block)?.bytes ?? 0) + bytes - offsetBytes(old);
    if (grown <= blockBytesMax || this.#isAlone(key, old.block)) {
      this.#take(key, old);
      const { commitMs: lastCommitMs } = committed;
      this.#place(key, { ...committed, block: old.block, lastCommitMs });
      return [old.block];
    }
    this.#take(key, old);
    const block = this.#roomyBlock(bytes);
    this.#place(key, { ...committed, block, lastCommitMs: committed.commitMs });
    return [old.block, block];
  }

  /** Remembers that the same offset was committed again, without anything to write. */
  touch({ topicId, partition }: OffsetKey, nowMs: number): void {
    const entry = this.#topics.get(topicId)?.get(partition);
    if (entry !== undefined) entry.lastCommitMs = nowMs;
  }

  /** Wall time of the last commit; later than that by less than `restore` was told, never earlier. */
  lastCommitMs({ topicId, partition }: OffsetKey): number {
    return this.#topics.get(topicId)?.get(partition)?.lastCommitMs ?? 0;
  }

  /** Returns the block to write, or nothing when there was no such offset. */
  remove(key: OffsetKey): number | undefined {
    const entry = this.#topics.get(key.topicId)?.get(key.partition);
    if (entry === undefined) return undefined;
    this.#take(key, entry);
    return entry.block;
  }

  /** By our estimate of its JSON; 0 where nothing is in it. */
  blockBytes(number: number): number {
    return this.#blocks.get(number)?.bytes ?? 0;
  }

  /** The block as it is to be written; undefined when nothing is left in it. */
  snapshot(number: number): { readonly stored: StoredOffsets; readonly bytes: number } | undefined {
    const block = this.#blocks.get(number);
    if (block === undefined) return undefined;
    const stored: { [topicId: string]: readonly StoredOffset[] } = {};
    for (const [topicId, partitions] of block.partitions) {
      stored[topicId] = [...partitions].map((partition) => this.#stored(topicId, partition));
    }
    return { stored, bytes: block.bytes };
  }

  /**
   * Takes in a block as it was written. Unchanged commits are written only so often: an offset may
   * have been committed again up to `unwrittenMs` after what its block says.
   */
  restore(
    number: number,
    offsets: Iterable<readonly [TopicId, readonly StoredOffset[]]>,
    unwrittenMs: number,
  ): void {
    this.#lastBlock = Math.max(this.#lastBlock, number);
    for (const [topicId, entries] of offsets) {
      for (const [partition, offset, leaderEpoch, metadata, commitMs, expireMs = null] of entries) {
        const committed = { offset, leaderEpoch, metadata, commitMs, expireMs };
        const lastCommitMs = commitMs + unwrittenMs;
        this.#place({ topicId, partition }, { ...committed, block: number, lastCommitMs });
      }
    }
  }

  #stored(topicId: TopicId, partition: number): StoredOffset {
    const entry = this.#topics.get(topicId)?.get(partition);
    assert(entry !== undefined, "a block names an offset that is not there");
    const { offset, leaderEpoch, metadata, commitMs, expireMs } = entry;
    if (expireMs === null) return [partition, offset, leaderEpoch, metadata, commitMs];
    return [partition, offset, leaderEpoch, metadata, commitMs, expireMs];
  }

  #roomyBlock(bytes: number): number {
    const last = this.#blocks.get(this.#lastBlock);
    if (last !== undefined && last.bytes + bytes > blockBytesFull) this.#lastBlock += 1;
    return this.#lastBlock;
  }

  #isAlone({ topicId }: OffsetKey, number: number): boolean {
    const partitions = this.#blocks.get(number)?.partitions;
    return partitions?.size === 1 && partitions.get(topicId)?.size === 1;
  }

  #place({ topicId, partition }: OffsetKey, entry: Entry): void {
    let entries = this.#topics.get(topicId);
    if (entries === undefined) {
      entries = new Map();
      this.#topics.set(topicId, entries);
    }
    assert(!entries.has(partition), "an offset is in two blocks");
    entries.set(partition, entry);
    this.#size += 1;
    let block = this.#blocks.get(entry.block);
    if (block === undefined) {
      block = { bytes: 0, partitions: new Map() };
      this.#blocks.set(entry.block, block);
    }
    let partitions = block.partitions.get(topicId);
    if (partitions === undefined) {
      partitions = new Set();
      block.partitions.set(topicId, partitions);
      block.bytes += topicBytes;
    }
    partitions.add(partition);
    block.bytes += offsetBytes(entry);
  }

  #take({ topicId, partition }: OffsetKey, entry: Entry): void {
    const entries = this.#topics.get(topicId);
    entries?.delete(partition);
    if (entries?.size === 0) this.#topics.delete(topicId);
    this.#size -= 1;
    const block = this.#blocks.get(entry.block);
    const partitions = block?.partitions.get(topicId);
    assert(block !== undefined && partitions !== undefined, "an offset is in no block");
    block.bytes -= offsetBytes(entry);
    partitions.delete(partition);
    if (partitions.size === 0) {
      block.partitions.delete(topicId);
      block.bytes -= topicBytes;
    }
    if (block.partitions.size === 0) this.#blocks.delete(entry.block);
  }
}

/** By our estimate of its JSON. */
export function offsetBytes(entry: Pick<CommittedOffset, "metadata">): number {
  return entryBytes + jsonTextBytes(entry.metadata);
}
