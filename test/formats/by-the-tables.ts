/**
 * Reads a data directory by the tables of docs/formats.md, and by nothing else of the project but
 * its CRC-32C. Each function throws where the bytes are not what its table says.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { crc32c } from "@millrace/wire";

export interface TableBatch {
  readonly position: number;
  readonly bytes: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly leaderEpoch: number;
  readonly maxTimestamp: number;
  readonly codec: number;
}

export interface IndexEntry {
  readonly baseOffset: number;
  readonly position: number;
  readonly maxTimestampBefore: number;
  /** -1: none. */
  readonly maxTimestampBatchOffset: number;
}

export interface TableProducer {
  readonly producerId: number;
  readonly epoch: number;
  readonly batches: readonly { readonly baseSequence: number; readonly baseOffset: number }[];
}

export interface TableEntry {
  readonly topicId: string;
  readonly partition: number;
  readonly slot: number;
  readonly kind: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  /** The entry's batches. */
  readonly body: Uint8Array;
}

export interface TableObject {
  readonly incarnation: string;
  readonly seq: number;
  readonly entries: readonly TableEntry[];
}

export function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function int64(view: DataView, at: number): number {
  return Number(view.getBigInt64(at));
}

export function hexAt(bytes: Uint8Array, at: number): string {
  return Buffer.from(bytes.subarray(at, at + 16)).toString("hex");
}

function checkMagic(view: DataView, text: string, version: number): void {
  for (let at = 0; at < text.length; at += 1) {
    check(view.getUint8(at) === text.charCodeAt(at), `the magic is not ${text}`);
  }
  check(version === 1, `${text} has version ${version}`);
}

/** The offset below which a log is compacted. */
export function readCleanedOffset(bytes: Uint8Array): number {
  const view = viewOf(bytes);
  checkMagic(view, "MRCD", 1);
  check(bytes.length === 20, "cleaned-offset has 20 bytes");
  check(view.getUint32(16) === crc32c(bytes.subarray(0, 16)), "its CRC is another");
  return int64(view, 8);
}

/** From and to, exclusive, of each gap. */
export function readCompactedGaps(bytes: Uint8Array): readonly (readonly [number, number])[] {
  const view = viewOf(bytes);
  checkMagic(view, "MRCG", 1);
  const crcAt = bytes.length - 4;
  check((crcAt - 8) % 16 === 0, "compacted-gaps has whole gaps");
  check(view.getUint32(crcAt) === crc32c(bytes.subarray(0, crcAt)), "its CRC is another");
  const gaps: (readonly [number, number])[] = [];
  for (let at = 8; at < crcAt; at += 16) gaps.push([int64(view, at), int64(view, at + 8)]);
  return gaps;
}

/** The batches of a segment, or of a journal entry's body. */
export function readSegment(bytes: Uint8Array): readonly TableBatch[] {
  const view = viewOf(bytes);
  const batches: TableBatch[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = 12 + view.getInt32(at + 8);
    check(at + length <= bytes.length, `the batch at ${at} is not whole`);
    check(view.getInt8(at + 16) === 2, `the batch at ${at} is not of magic 2`);
    const crc = crc32c(bytes.subarray(at + 21, at + length));
    check(view.getUint32(at + 17) === crc, `the CRC of the batch at ${at} does not hold`);
    const baseOffset = int64(view, at);
    batches.push({
      position: at,
      bytes: length,
      baseOffset,
      lastOffset: baseOffset + view.getInt32(at + 23),
      leaderEpoch: view.getInt32(at + 12),
      maxTimestamp: int64(view, at + 35),
      codec: view.getInt16(at + 21) & 7,
    });
    at += length;
  }
  return batches;
}

/** Both indexes of one segment. */
export function readIndexes(index: Uint8Array, timeIndex: Uint8Array): readonly IndexEntry[] {
  const offsets = viewOf(index);
  const times = viewOf(timeIndex);
  checkMagic(offsets, "MROI", offsets.getUint32(4));
  checkMagic(times, "MRTI", times.getUint32(4));
  const base = int64(offsets, 8);
  check(int64(times, 8) === base, "the indexes are of two segments");
  const seed = crc32c(timeIndex.subarray(8, 16));
  const isBound = times.getUint32(4) >= 2;
  const count = Math.min((index.length - 16) / 8, (timeIndex.length - 16) / 16);
  return Array.from({ length: Math.floor(count) }, (_, i) => {
    const at = 16 + i * 8;
    const timeAt = 16 + i * 16;
    const bound = isBound ? crc32c(index.subarray(at, at + 8), seed) : seed;
    const crc = crc32c(timeIndex.subarray(timeAt, timeAt + 12), bound);
    check(times.getUint32(timeAt + 12) === crc, `the CRC of time entry ${i} does not hold`);
    const relative = times.getUint32(timeAt + 8);
    return {
      baseOffset: base + offsets.getUint32(at),
      position: offsets.getUint32(at + 4),
      maxTimestampBefore: int64(times, timeAt),
      maxTimestampBatchOffset: relative === 0xffffffff ? -1 : base + relative,
    };
  });
}

export interface EpochStart {
  readonly epoch: number;
  readonly startOffset: number;
}

export function readLeaderEpochs(bytes: Uint8Array): readonly EpochStart[] {
  const view = viewOf(bytes);
  checkMagic(view, "MRLE", view.getUint32(4));
  check(view.getUint32(12) === crc32c(bytes.subarray(16)), "the CRC of the epochs does not hold");
  check(bytes.length === 16 + view.getUint32(8) * 12, "the epochs have another length");
  return Array.from({ length: view.getUint32(8) }, (_, i) => ({
    epoch: view.getUint32(16 + i * 12),
    startOffset: int64(view, 20 + i * 12),
  }));
}

export function readSnapshot(bytes: Uint8Array): {
  readonly offset: number;
  readonly producers: readonly TableProducer[];
} {
  const view = viewOf(bytes);
  checkMagic(view, "MRPS", view.getUint32(4));
  check(view.getUint32(16) === crc32c(bytes.subarray(20)), "the CRC of a snapshot does not hold");
  return { offset: int64(view, 8), producers: readProducers(bytes.subarray(20)) };
}

/** What a snapshot holds from byte 20 on, and an image as its producers. */
export function readProducers(bytes: Uint8Array): readonly TableProducer[] {
  const view = viewOf(bytes);
  const producers: TableProducer[] = [];
  let at = 4;
  for (let i = 0; i < view.getUint32(0); i += 1) {
    const first = at + 28;
    const batches = Array.from({ length: view.getUint16(at + 26) }, (_, batch) => ({
      baseSequence: view.getInt32(first + batch * 32),
      baseOffset: int64(view, first + batch * 32 + 8),
    }));
    producers.push({ producerId: int64(view, at), epoch: view.getInt16(at + 8), batches });
    at = first + batches.length * 32;
  }
  check(at === bytes.length, "bytes are left over after the producers");
  return producers;
}

/** The objects of a journal file, up to the zeros, or to what is left of its former life. */
export function readJournalFile(bytes: Uint8Array): readonly TableObject[] {
  const objects: TableObject[] = [];
  let next: number | undefined;
  for (let at = 0; at < bytes.length && bytes[at] !== 0; ) {
    const view = viewOf(bytes.subarray(at));
    const seq = int64(view, 32);
    if (next !== undefined && seq !== next) break;
    next = seq + 1;
    const length = 80 + view.getUint32(64) + view.getUint32(68) * 56 + 16;
    objects.push(readJournalObject(bytes.subarray(at, at + length)));
    at += Math.ceil(length / 4096) * 4096;
  }
  return objects;
}

function readJournalObject(bytes: Uint8Array): TableObject {
  const view = viewOf(bytes);
  checkMagic(view, "MLRJ", view.getUint16(4));
  const headerCrc = crc32c(bytes.subarray(0, 76));
  check(view.getUint32(76) === headerCrc, "the CRC of a header does not hold");
  const indexAt = 80 + view.getUint32(64);
  const entryCount = view.getUint32(68);
  const trailerAt = indexAt + entryCount * 56;
  check(view.getUint32(trailerAt) === entryCount, "header and trailer count differently");
  const bodyCrc = crc32c(bytes.subarray(80, indexAt));
  check(view.getUint32(trailerAt + 4) === bodyCrc, "the CRC of a body does not hold");
  const indexCrc = crc32c(bytes.subarray(indexAt, trailerAt + 8), headerCrc);
  check(view.getUint32(trailerAt + 8) === indexCrc, "the CRC of an index does not hold");
  check(view.getUint32(trailerAt + 12) === 0x4a454e44, "the end mark is not there");
  const entries = Array.from({ length: entryCount }, (_, i) => {
    const at = indexAt + i * 56;
    const position = view.getUint32(at + 48);
    return {
      topicId: hexAt(bytes, at),
      partition: view.getInt32(at + 16),
      slot: view.getInt32(at + 20),
      kind: view.getInt32(at + 28),
      baseOffset: int64(view, at + 32),
      lastOffset: int64(view, at + 40),
      body: bytes.subarray(position, position + view.getUint32(at + 52)),
    };
  });
  const incarnation = `${int64(view, 8)}-${hexAt(bytes, 16)}`;
  return { incarnation, seq: int64(view, 32), entries };
}

/** A slot's number for a topic's partition (`add` is the partition) or a group (0). */
export function slotOf(text: string, add: number, slots: number): number {
  let hash = 0x811c9dc5;
  for (let unit = 0; unit < text.length; unit += 1) {
    const code = text.charCodeAt(unit);
    for (const byte of [code & 0xff, code >>> 8]) hash = Math.imul(hash ^ byte, 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (((hash ^ (hash >>> 16)) >>> 0) + add) % slots;
}

export interface TablePartition {
  readonly name: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** The names of its segments' files without `.log`, ascending. */
  readonly segments: readonly string[];
}

export function partitionFolders(directory: string): readonly TablePartition[] {
  const root = join(directory, "partitions");
  return readdirSync(root).map((name) => {
    const names = readdirSync(join(root, name)).sort();
    const files = new Map(
      names.map((file): [string, Uint8Array] => [file, readFileSync(join(root, name, file))]),
    );
    const segments = names.filter((file) => file.endsWith(".log")).map((file) => file.slice(0, -4));
    return { name, files, segments };
  });
}

export function journalFiles(directory: string): readonly Uint8Array[] {
  const root = join(directory, "journal");
  return readdirSync(root).flatMap((incarnation) =>
    readdirSync(join(root, incarnation))
      .sort()
      .map((file) => readFileSync(join(root, incarnation, file))),
  );
}
