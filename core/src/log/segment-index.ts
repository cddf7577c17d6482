import { assert } from "../assert.ts";
import type { Disk, DiskFile } from "../ports/disk.ts";
import type { Checksum } from "./batch-format.ts";
import { viewOf } from "./batch-format.ts";
import { fileName } from "./file-names.ts";
import {
  decodeIndexHeader,
  decodeIndexPoint,
  type IndexPoint,
  type IndexSegment,
  indexHeaderBytes,
  indexSegment,
  indexVersions,
  noRelativeOffset,
  offsetEntryBytes,
  offsetIndexMagic,
  timeEntryBytes,
  timeIndexMagic,
} from "./index-entry.ts";
import { writeInt64 } from "./int64.ts";
import { indexEntriesPendingMax } from "./limits.ts";

/**
 * A segment's offset index and time index: two files, entry i of both about one batch.
 *
 * `.index`: header, then entries of 8 bytes: relative base offset uint32, position uint32.
 * `.timeindex`: header, then entries of 16 bytes: the largest timestamp of all batches *before*
 * this one int64, the relative base offset of the batch that has it uint32, CRC-32C uint32 of the
 * segment's base offset, the batch's entry in `.index` and those 12 bytes: so that an entry that
 * was moved, or that is older than the one beside it, does not pass for another.
 * Header of both, 16 bytes: magic uint32, version uint32, base offset int64. Big endian.
 *
 * An index is a hint that can be made again from its segment, so it is never synced for its own
 * sake. It may therefore come back short, which costs time only, or damaged, which a search must
 * notice: time entries carry a CRC, and whoever follows an offset entry finds there the batch that
 * it names, or knows that the index lies. `damaged` then means: rebuild.
 */
export class SegmentIndex {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #baseOffset: number;
  readonly #crc32c: Checksum;
  readonly #segment: IndexSegment;
  readonly #names: IndexPlace["names"];
  readonly #scratch = new DataView(new ArrayBuffer(timeEntryBytes));
  #offsets: DiskFile | undefined;
  #times: DiskFile | undefined;
  #stored = 0;
  #pending: IndexPoint[] = [];
  /** Real entries were cut: what the files held before must not come back after a power loss. */
  #cutUnsynced = false;

  private constructor(place: IndexPlace) {
    const { baseOffset, crc32c, directory, disk } = place;
    this.#disk = disk;
    this.#directory = directory;
    this.#baseOffset = baseOffset;
    this.#crc32c = crc32c;
    this.#names = place.names;
    this.#segment = indexSegment(baseOffset, crc32c);
  }

  /** An index without entries; a file appears with the first flush. */
  static empty(place: IndexPlace): SegmentIndex {
    return new SegmentIndex(place);
  }

  /** The index as its files have it; `damaged` when one is missing or has a wrong header. */
  static load(place: IndexPlace): SegmentIndex | "damaged" {
    const index = SegmentIndex.empty(place);
    const offsets = index.#openFile("index", "never");
    const times = index.#openFile("timeindex", "never");
    if (offsets === undefined || times === undefined) return "damaged";
    if (!index.#hasHeader(offsets, offsetIndexMagic)) return "damaged";
    if (!index.#hasHeader(times, timeIndexMagic)) return "damaged";
    index.#offsets = offsets;
    index.#times = times;
    // A death between the two writes leaves one longer by entries that the next flush overwrites.
    index.#stored = Math.min(
      Math.floor((offsets.size() - indexHeaderBytes) / offsetEntryBytes),
      Math.floor((times.size() - indexHeaderBytes) / timeEntryBytes),
    );
    return index;
  }

  get length(): number {
    return this.#stored + this.#pending.length;
  }

  get needsSync(): boolean {
    return this.#cutUnsynced;
  }

  /** Points come with rising positions and offsets. Memory only, so that it cannot fail. */
  add(point: IndexPoint): void {
    this.#pending.push(point);
  }

  /** To be called before a write to the segment: a full disk then stops both. */
  flushIfDue(): void {
    if (this.#pending.length >= indexEntriesPendingMax) this.flush();
  }

  /** Writes the entries that only memory holds. A DiskError leaves them there. */
  flush(): void {
    if (this.#pending.length === 0 && this.#offsets !== undefined) return;
    const offsetFile = (this.#offsets ??= this.#create("index", offsetIndexMagic));
    const timeFile = (this.#times ??= this.#create("timeindex", timeIndexMagic));
    const count = this.#pending.length;
    if (count === 0) return;
    const offsets = new Uint8Array(count * offsetEntryBytes);
    const times = new Uint8Array(count * timeEntryBytes);
    const offsetView = viewOf(offsets);
    const timeView = viewOf(times);
    this.#pending.forEach((point, i) => {
      offsetView.setUint32(i * offsetEntryBytes, point.baseOffset - this.#baseOffset);
      offsetView.setUint32(i * offsetEntryBytes + 4, point.position);
      const seed = this.#seedOf(offsets.subarray(i * offsetEntryBytes, (i + 1) * offsetEntryBytes));
      this.#encodeTime(times, { view: timeView, at: i * timeEntryBytes, seed }, point);
    });
    offsetFile.write(indexHeaderBytes + this.#stored * offsetEntryBytes, [offsets]);
    timeFile.write(indexHeaderBytes + this.#stored * timeEntryBytes, [times]);
    this.#stored += count;
    this.#pending = [];
  }

  /** The last point at or before `offset`; `none` when there is no such point. */
  floorByOffset(offset: number): IndexPoint | "none" | "damaged" {
    const relative = offset - this.#baseOffset;
    const found = this.#lastWhere((i) => this.#relativeOffsetAt(i) <= relative);
    return found < 0 ? "none" : this.#pointAt(found);
  }

  /** The last point before whose batch every timestamp is below `timestamp`. */
  floorByTimestamp(timestamp: number): IndexPoint | "none" | "damaged" {
    let damaged = false;
    const found = this.#lastWhere((i) => {
      const point = this.#pointAt(i);
      if (point === "damaged") damaged = true;
      return point !== "damaged" && point.maxTimestampBefore < timestamp;
    });
    if (damaged) return "damaged";
    return found < 0 ? "none" : this.#pointAt(found);
  }

  last(): IndexPoint | "none" | "damaged" {
    return this.length === 0 ? "none" : this.#pointAt(this.length - 1);
  }

  /** Drops the points of batches at `position` and after. */
  cutTo(position: number): void {
    const kept = this.#lastWhere((i) => this.#positionAt(i) < position) + 1;
    if (kept >= this.#stored) {
      this.#pending = this.#pending.slice(0, kept - this.#stored);
      return;
    }
    this.#pending = [];
    this.#stored = kept;
    this.#offsets?.resize(indexHeaderBytes + kept * offsetEntryBytes);
    this.#times?.resize(indexHeaderBytes + kept * timeEntryBytes);
    this.#cutUnsynced = true;
  }

  /** Makes a cut durable; see `needsSync`. */
  async sync(): Promise<void> {
    if (!this.#cutUnsynced) return;
    this.#cutUnsynced = false;
    await Promise.all([this.#offsets?.sync(), this.#times?.sync()]);
  }

  close(): void {
    this.#offsets?.close();
    this.#times?.close();
    this.#offsets = undefined;
    this.#times = undefined;
  }

  /** The last i whose point passes `test`, which holds for a first part of the points only. */
  #lastWhere(test: (i: number) => boolean): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (test(middle)) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #relativeOffsetAt(i: number): number {
    const pending = this.#pending[i - this.#stored];
    if (pending !== undefined) return pending.baseOffset - this.#baseOffset;
    this.#readEntry(this.#offsets, i, offsetEntryBytes);
    return this.#scratch.getUint32(0);
  }

  #positionAt(i: number): number {
    const pending = this.#pending[i - this.#stored];
    if (pending !== undefined) return pending.position;
    this.#readEntry(this.#offsets, i, offsetEntryBytes);
    return this.#scratch.getUint32(4);
  }

  #pointAt(i: number): IndexPoint | "damaged" {
    const pending = this.#pending[i - this.#stored];
    if (pending !== undefined) return pending;
    if (!this.#readEntry(this.#offsets, i, offsetEntryBytes)) return "damaged";
    const offsetEntry = new Uint8Array(this.#scratch.buffer).slice(0, offsetEntryBytes);
    if (!this.#readEntry(this.#times, i, timeEntryBytes)) return "damaged";
    return decodeIndexPoint(offsetEntry, new Uint8Array(this.#scratch.buffer), this.#segment);
  }

  #readEntry(file: DiskFile | undefined, i: number, entryBytes: number): boolean {
    const into = new Uint8Array(this.#scratch.buffer, 0, entryBytes);
    return file !== undefined && file.read(indexHeaderBytes + i * entryBytes, into) === entryBytes;
  }

  /** What the CRC of a batch's time entry begins with: whose segment's and batch's it is. */
  #seedOf(offsetEntry: Uint8Array): number {
    return this.#crc32c(offsetEntry, this.#segment.seed);
  }

  #encodeTime(
    bytes: Uint8Array,
    { at, seed, view }: { readonly view: DataView; readonly at: number; readonly seed: number },
    point: IndexPoint,
  ): void {
    const batchOffset = point.maxTimestampBatchOffset;
    writeInt64(view, at, point.maxTimestampBefore);
    view.setUint32(at + 8, batchOffset < 0 ? noRelativeOffset : batchOffset - this.#baseOffset);
    view.setUint32(at + 12, this.#crc32c(bytes.subarray(at, at + 12), seed));
  }

  #openFile(kind: "index" | "timeindex", create: "never" | "ifAbsent"): DiskFile | undefined {
    const name = this.#names?.[kind] ?? fileName(this.#baseOffset, kind);
    return this.#disk.open(`${this.#directory}/${name}`, { create });
  }

  #create(kind: "index" | "timeindex", magic: number): DiskFile {
    const file = this.#openFile(kind, "ifAbsent");
    assert(file !== undefined, "ifAbsent opens");
    const header = new DataView(new ArrayBuffer(indexHeaderBytes));
    header.setUint32(0, magic);
    header.setUint32(4, indexVersions.get(magic) ?? 0);
    writeInt64(header, 8, this.#baseOffset);
    // The name may belong to a damaged file that this one takes the place of.
    file.resize(0);
    file.write(0, [new Uint8Array(header.buffer)]);
    return file;
  }

  #hasHeader(file: DiskFile, magic: number): boolean {
    const header = new Uint8Array(indexHeaderBytes);
    if (file.read(0, header) !== indexHeaderBytes) return false;
    const decoded = decodeIndexHeader(header, magic);
    if (decoded?.version !== indexVersions.get(magic)) return false;
    return decoded?.baseOffset === this.#baseOffset;
  }
}

export interface IndexPlace {
  readonly disk: Disk;
  readonly directory: string;
  readonly baseOffset: number;
  readonly crc32c: Checksum;
  /** Of the files, where they are not those of the segment's own. */
  readonly names?: { readonly index: string; readonly timeindex: string };
}

/** Of the segment that begins at `baseOffset`. */
export function removeIndexFiles(
  { disk, directory }: { readonly disk: Disk; readonly directory: string },
  baseOffset: number,
): void {
  disk.remove(`${directory}/${fileName(baseOffset, "index")}`);
  disk.remove(`${directory}/${fileName(baseOffset, "timeindex")}`);
}
