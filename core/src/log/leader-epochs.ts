import { assert } from "../assert.ts";
import type { Disk } from "../ports/disk.ts";
import type { Checksum } from "./batch-format.ts";
import { viewOf } from "./batch-format.ts";
import { leaderEpochsName } from "./file-names.ts";
import { readInt64, writeInt64 } from "./int64.ts";

/** From `startOffset` on, records were appended under `epoch`. */
export interface LeaderEpochStart {
  readonly epoch: number;
  readonly startOffset: number;
}

/**
 * Which leader epoch appended which offsets: what OffsetForLeaderEpoch answers from (KIP-101,
 * KIP-279).
 *
 * The file `leader-epochs` is replaced as a whole by `save`, before a sync of the log is complete;
 * until then the batches' own epochs tell the same. Layout, big endian: magic uint32, version
 * uint32, count uint32, CRC-32C of what follows uint32; then per entry epoch uint32, start offset
 * int64.
 */
export class LeaderEpochs {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #crc32c: Checksum;
  #entries: LeaderEpochStart[] = [];
  #changes = 0;
  #saved = 0;

  constructor(disk: Disk, directory: string, crc32c: Checksum) {
    this.#disk = disk;
    this.#directory = directory;
    this.#crc32c = crc32c;
  }

  /** Reads the file; `unusable` when it is absent or damaged: the history is then empty. */
  load(): "loaded" | "unusable" {
    const bytes = this.#readFile();
    const entries = bytes === undefined ? undefined : decodeLeaderEpochs(bytes, this.#crc32c);
    this.#entries = entries ?? [];
    this.#saved = this.#changes;
    return entries === undefined ? "unusable" : "loaded";
  }

  get entries(): readonly LeaderEpochStart[] {
    return this.#entries;
  }

  /** -1: no epoch is known. */
  get latestEpoch(): number {
    return this.#entries.at(-1)?.epoch ?? -1;
  }

  get isDirty(): boolean {
    return this.#changes !== this.#saved;
  }

  /** Says that `epoch` appends from `startOffset` on; no effect when it is no newer epoch. */
  note(epoch: number, startOffset: number): void {
    if (epoch <= this.latestEpoch || epoch < 0) return;
    // An epoch that appended nothing leaves no trace, as in Kafka.
    this.#entries = this.#entries.filter((entry) => entry.startOffset < startOffset);
    this.#entries.push({ epoch, startOffset });
    this.#changes += 1;
  }

  /**
   * The largest known epoch at or below `epoch`, and where the next one begins; for the latest
   * epoch `logEndOffset`. Both -1 when `epoch` is newer than any known one (Kafka's
   * OffsetForLeaderEpoch).
   */
  endOffsetFor(
    epoch: number,
    logEndOffset: number,
  ): { readonly epoch: number; readonly endOffset: number } {
    if (epoch >= 0 && epoch === this.latestEpoch) return { epoch, endOffset: logEndOffset };
    const higher = this.#entries.find((entry) => entry.epoch > epoch);
    if (epoch < 0 || higher === undefined) return { epoch: -1, endOffset: -1 };
    const floor = this.#entries.findLast((entry) => entry.epoch <= epoch);
    return { epoch: floor?.epoch ?? epoch, endOffset: higher.startOffset };
  }

  /** The history is this one from now on. */
  replace(entries: readonly LeaderEpochStart[]): void {
    this.#entries = [...entries];
    this.#changes += 1;
  }

  /** Puts older epochs before the first one that is known. */
  prepend(older: readonly LeaderEpochStart[]): void {
    const first = this.#entries[0];
    const added = older.filter(({ epoch, startOffset }) => {
      return first === undefined || (epoch < first.epoch && startOffset < first.startOffset);
    });
    // The first one may have begun before what is here does.
    const begun = older.find(({ epoch }) => epoch === first?.epoch);
    const isEarlier = begun !== undefined && first !== undefined;
    if (added.length === 0 && !(isEarlier && begun.startOffset < first.startOffset)) return;
    const kept = isEarlier ? [begun, ...this.#entries.slice(1)] : this.#entries;
    this.#entries = [...added, ...kept];
    this.#changes += 1;
  }

  /** Forgets the epochs that begin at or after `endOffset`. */
  cutEnd(endOffset: number): void {
    const kept = this.#entries.filter((entry) => entry.startOffset < endOffset);
    if (kept.length === this.#entries.length) return;
    this.#entries = kept;
    this.#changes += 1;
  }

  /** Forgets what lies before `startOffset`; the epoch that holds it begins there from now on. */
  cutStart(startOffset: number): void {
    const first = this.#entries.findLastIndex((entry) => entry.startOffset <= startOffset);
    const entry = this.#entries[first];
    if (entry === undefined || (first === 0 && entry.startOffset === startOffset)) return;
    this.#entries = [{ epoch: entry.epoch, startOffset }, ...this.#entries.slice(first + 1)];
    this.#changes += 1;
  }

  /** Replaces the file; its name is durable after the folder's next sync. */
  async save(): Promise<void> {
    const changes = this.#changes;
    const path = `${this.#directory}/${leaderEpochsName}`;
    const fresh = this.#disk.open(`${path}.tmp`, { create: "ifAbsent" });
    assert(fresh !== undefined, "ifAbsent opens");
    try {
      fresh.resize(0);
      fresh.write(0, [encode(this.#entries, this.#crc32c)]);
      await fresh.sync();
    } finally {
      fresh.close();
    }
    this.#disk.rename(`${path}.tmp`, path);
    this.#saved = changes;
  }

  #readFile(): Uint8Array | undefined {
    const path = `${this.#directory}/${leaderEpochsName}`;
    const file = this.#disk.open(path, { create: "never" });
    if (file === undefined) return undefined;
    const bytes = new Uint8Array(file.size());
    file.read(0, bytes);
    file.close();
    return bytes;
  }
}

const magic = 0x4d524c45;
const version = 1;
const headerBytes = 16;
const entryBytes = 12;

function encode(entries: readonly LeaderEpochStart[], crc32c: Checksum): Uint8Array {
  const bytes = new Uint8Array(headerBytes + entries.length * entryBytes);
  const view = viewOf(bytes);
  entries.forEach(({ epoch, startOffset }, i) => {
    view.setUint32(headerBytes + i * entryBytes, epoch);
    writeInt64(view, headerBytes + i * entryBytes + 4, startOffset);
  });
  view.setUint32(0, magic);
  view.setUint32(4, version);
  view.setUint32(8, entries.length);
  view.setUint32(12, crc32c(bytes.subarray(headerBytes)));
  return bytes;
}

/** The file's entries; undefined for bytes that are no such file, or a damaged one. */
export function decodeLeaderEpochs(
  bytes: Uint8Array,
  crc32c: Checksum,
): LeaderEpochStart[] | undefined {
  const view = viewOf(bytes);
  if (bytes.length < headerBytes) return undefined;
  if (view.getUint32(0) !== magic || view.getUint32(4) !== version) return undefined;
  const count = view.getUint32(8);
  if (bytes.length !== headerBytes + count * entryBytes) return undefined;
  if (view.getUint32(12) !== crc32c(bytes.subarray(headerBytes))) return undefined;
  return Array.from({ length: count }, (_, i) => ({
    epoch: view.getUint32(headerBytes + i * entryBytes),
    startOffset: readInt64(view, headerBytes + i * entryBytes + 4),
  }));
}
