import { incarnationId, topicId } from "@millrace/core";
import type { IncarnationId, TopicId } from "@millrace/core";

/** Keys in the object store. All of a cluster's begin with its id. */

/** The checkpoints of an incarnation, by number. */
export function checkpointKey(cluster: string, incarnation: IncarnationId, number: number): string {
  return `${checkpointPrefix(cluster, incarnation)}${String(number).padStart(20, "0")}`;
}

export function checkpointPrefix(cluster: string, incarnation: IncarnationId): string {
  return `${checkpointRoot(cluster)}${incarnation}/`;
}

/** Of all incarnations. */
export function checkpointRoot(cluster: string): string {
  return `${cluster}/checkpoint/`;
}

/** Whose checkpoint a key below `checkpointRoot` is; undefined for a key of another form. */
export function checkpointIncarnation(cluster: string, key: string): IncarnationId | undefined {
  const [name = "", number = ""] = key.slice(checkpointRoot(cluster).length).split("/");
  const isOne = /^[0-9]{1,15}-[0-9a-f]{32}$/.test(name) && /^[0-9]{20}$/.test(number);
  return isOne ? incarnationId(name) : undefined;
}

/** The number at the end of a checkpoint's key. */
export function checkpointNumber(key: string): number {
  return Number(key.slice(key.lastIndexOf("/") + 1));
}

export interface SegmentName {
  readonly topicId: TopicId;
  readonly partition: number;
  readonly baseOffset: number;
  readonly slot: number;
  readonly epoch: number;
  /** Random hexadecimal digits: a try that failed never meets the next one. */
  readonly nonce: string;
}

/** A cold segment's key: the hash comes early, so that no prefix of the bucket is hot. */
export function segmentKey(cluster: string, name: SegmentName): string {
  const { baseOffset, epoch, nonce, partition, slot, topicId } = name;
  const offset = String(baseOffset).padStart(20, "0");
  const path = `${topicId}/${partition}/${offset}-${slot}-${epoch}-${nonce}`;
  return `${dataPrefix(cluster)}${hashOf(path)}/${path}`;
}

/** What a cold segment's key says; undefined for any other key. */
export function readSegmentKey(
  cluster: string,
  key: string,
): Omit<SegmentName, "nonce"> | undefined {
  if (!key.startsWith(dataPrefix(cluster))) return undefined;
  const [, topic = "", ...numbers] =
    /^[0-9a-f]{4}\/([0-9a-f]{32})\/(\d{1,10})\/(\d{20})-(\d{1,10})-(\d{1,10})-[0-9a-f]+$/.exec(
      key.slice(dataPrefix(cluster).length),
    ) ?? [];
  const [partition = -1, baseOffset = -1, slot = -1, epoch = -1] = numbers.map(Number);
  const isOne = /[1-9a-f]/.test(topic) && Math.max(partition, slot, epoch) <= int32Max;
  if (!isOne || !Number.isSafeInteger(baseOffset)) return undefined;
  return { topicId: topicId(topic), partition, baseOffset, slot, epoch };
}

const int32Max = 0x7fff_ffff;

export function dataPrefix(cluster: string): string {
  return `${cluster}/data/`;
}

/** FNV-1a, folded to 16 bits, as four hexadecimal digits. */
function hashOf(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  }
  return ((hash >>> 16) ^ (hash & 0xffff)).toString(16).padStart(4, "0");
}
