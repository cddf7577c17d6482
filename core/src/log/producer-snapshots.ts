import { assert } from "../assert.ts";
import type { Disk } from "../ports/disk.ts";
import { ProducerState } from "../producer/producer-state.ts";
import type { Checksum } from "./batch-format.ts";
import { viewOf } from "./batch-format.ts";
import { fileName, parseFileName } from "./file-names.ts";
import { readInt64, writeInt64 } from "./int64.ts";
import { producerSnapshotsMax } from "./limits.ts";

/**
 * The files `{offset}.snapshot`: the partition's producers as of the batches below that offset.
 *
 * One only saves reading batch headers again, so it is not synced, unless a segment begins at it,
 * before which segments may be deleted. One that came back damaged is passed over. Layout, big endian: magic uint32, version uint32, offset int64, CRC-32C
 * of what follows uint32; then the producers (producer/snapshot.ts).
 */
export interface ProducersAt {
  readonly offset: number;
  readonly producers: ProducerState;
}

/** Where the batches begin that a log has, and where they end. */
export interface BatchesHere {
  readonly first: number;
  readonly end: number;
}

const magic = 0x4d525053;
const version = 1;
const headerBytes = 20;

export class ProducerSnapshots {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #crc32c: Checksum;
  readonly #isSegment: (offset: number) => boolean;
  /** Ascending. */
  #offsets: number[];
  readonly #unsynced = new Set<number>();

  /**
   * `isSegment`: whether a segment begins at the offset. Its snapshot stays as long as it does:
   * once the segments before it are deleted nothing else tells of their producers, and a replay may
   * cut the log back to it.
   */
  constructor(
    files: SnapshotFiles,
    names: readonly string[],
    isSegment: (offset: number) => boolean,
  ) {
    this.#isSegment = isSegment;
    this.#disk = files.disk;
    this.#directory = files.directory;
    this.#crc32c = files.crc32c;
    this.#offsets = names
      .map(parseFileName)
      .filter((name) => name?.kind === "snapshot")
      .map((name) => name?.offset ?? 0)
      .sort((a, b) => a - b);
  }

  /** -1: there is none. */
  get newestOffset(): number {
    return this.#offsets.at(-1) ?? -1;
  }

  /** Writes one, and removes those that are not needed any more. */
  save(offset: number, producers: ProducerState): void {
    const body = producers.snapshot();
    const header = new DataView(new ArrayBuffer(headerBytes));
    header.setUint32(0, magic);
    header.setUint32(4, version);
    writeInt64(header, 8, offset);
    header.setUint32(16, this.#crc32c(body));
    const file = this.#disk.open(this.#path(offset), { create: "ifAbsent" });
    assert(file !== undefined, "ifAbsent opens");
    try {
      file.resize(0);
      file.write(0, [new Uint8Array(header.buffer), body]);
    } finally {
      file.close();
    }
    this.#offsets = [...this.#offsets.filter((known) => known !== offset), offset];
    this.#unsynced.add(offset);
    const others = this.#offsets.filter((known) => !this.#isSegment(known));
    const surplus = others.length - producerSnapshotsMax;
    for (const old of others.slice(0, Math.max(0, surplus))) this.#remove(old);
  }

  /** Makes those durable that stay with a segment. Rejects with a DiskError. */
  async sync(): Promise<void> {
    for (const offset of [...this.#unsynced]) {
      if (!this.#isSegment(offset)) continue;
      const file = this.#disk.open(this.#path(offset), { create: "never" });
      this.#unsynced.delete(offset);
      try {
        await file?.sync();
      } catch (error) {
        this.#unsynced.add(offset);
        throw error;
      } finally {
        file?.close();
      }
    }
  }

  /**
   * The newest one at or below `end`; nothing is known of producers before offset 0. Nor is it where
   * batches are gone between that one and `first`, at which those begin that are here: a producer
   * that went on in them would be refused for ever.
   */
  newestFor({ first, end }: BatchesHere): ProducersAt & { readonly isComplete: boolean } {
    for (const candidate of this.#offsets.toReversed()) {
      if (candidate > end) continue;
      if (candidate < first) break;
      const producers = this.#load(candidate);
      if (producers !== undefined) return { offset: candidate, producers, isComplete: true };
      this.#remove(candidate);
    }
    return { offset: 0, producers: ProducerState.empty(), isComplete: first === 0 };
  }

  /** Removes those that tell of batches at or after `endOffset`; returns how many. */
  cutEnd(endOffset: number): number {
    const ahead = this.#offsets.filter((offset) => offset > endOffset);
    for (const offset of ahead) this.#remove(offset);
    return ahead.length;
  }

  #load(offset: number): ProducerState | undefined {
    const file = this.#disk.open(this.#path(offset), { create: "never" });
    if (file === undefined) return undefined;
    const bytes = new Uint8Array(file.size());
    file.read(0, bytes);
    file.close();
    const snapshot = decodeSnapshot(bytes, this.#crc32c);
    return snapshot?.offset === offset ? ProducerState.restore(snapshot.body) : undefined;
  }

  #remove(offset: number): void {
    this.#disk.remove(this.#path(offset));
    this.#offsets = this.#offsets.filter((known) => known !== offset);
    this.#unsynced.delete(offset);
  }

  #path(offset: number): string {
    return `${this.#directory}/${fileName(offset, "snapshot")}`;
  }
}

export interface SnapshotFiles {
  readonly disk: Disk;
  readonly directory: string;
  readonly crc32c: Checksum;
}

/**
 * What a snapshot's file holds: the offset that it is as of, and the producers' bytes. Undefined
 * for bytes that are no such file, or a damaged one.
 */
export function decodeSnapshot(
  bytes: Uint8Array,
  crc32c: Checksum,
): { readonly offset: number; readonly body: Uint8Array } | undefined {
  if (bytes.length < headerBytes) return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(0) !== magic || view.getUint32(4) !== version) return undefined;
  const body = bytes.subarray(headerBytes);
  if (view.getUint32(16) !== crc32c(body)) return undefined;
  return { offset: readInt64(view, 8), body };
}
