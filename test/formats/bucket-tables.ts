/**
 * Reads a bucket's objects by the tables of docs/formats.md, and by nothing else of the project but
 * its CRC-32C. Each function throws where the bytes are not what its table says.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { crc32c } from "@millrace/wire";
import {
  check,
  type EpochStart,
  hexAt,
  int64,
  readProducers,
  readSegment,
  type TableBatch,
  type TableProducer,
  viewOf,
} from "./by-the-tables.ts";

export const bucketDirectory: string = join(import.meta.dirname, "bucket-1");

export interface TableImage {
  readonly topicId: string;
  readonly partition: number;
  readonly baseOffset: number;
  readonly nextOffset: number;
  readonly maxTimestamp: number;
  readonly maxTimestampOffset: number;
  readonly recordCount: number;
  readonly batchesBytes: number;
  readonly batches: readonly TableBatch[];
  readonly index: readonly {
    readonly baseOffset: number;
    readonly position: number;
    readonly maxTimestampBefore: number;
  }[];
  readonly leaderEpochs: readonly EpochStart[];
  readonly producers: readonly TableProducer[];
}

export interface TablePart {
  readonly checkpoint: number;
  readonly position: number;
  readonly bytes: number;
  readonly batchesBytes: number;
  readonly baseOffset: number;
  readonly nextOffset: number;
  readonly maxTimestamp: number;
  readonly leaderEpochs: readonly EpochStart[];
}

export interface TableSection {
  readonly slot: number;
  readonly epoch: number;
  readonly partitions: readonly {
    readonly topicId: string;
    readonly partition: number;
    readonly parts: readonly TablePart[];
  }[];
}

export interface TableLine {
  readonly slot: number;
  readonly epoch: number;
  readonly checkpoint: number;
  readonly position: number;
  readonly bytes: number;
  readonly crc: number;
}

export interface TableCheckpoint {
  readonly incarnation: string;
  readonly number: number;
  readonly imagesBytes: number;
  readonly sectionsBytes: number;
  readonly lines: readonly TableLine[];
}

/** Every object by its key. */
export function bucketFiles(): ReadonlyMap<string, Uint8Array> {
  const files = readdirSync(bucketDirectory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  return new Map(files.map((path) => [path.slice(bucketDirectory.length + 1), readFileSync(path)]));
}

const footerBytes = 112;

/** What both footers end with. */
function checkEnd(bytes: Uint8Array, magic: string): DataView {
  const footer = bytes.subarray(bytes.length - footerBytes);
  const view = viewOf(footer);
  const end = Buffer.from(footer.subarray(108)).toString("latin1");
  check(end === magic, `the magic is ${end}, not ${magic}`);
  check(view.getUint32(104) === crc32c(footer.subarray(0, 104)), "the footer's CRC fails");
  check(view.getUint16(100) === 1 && view.getUint16(102) === footerBytes, "another version");
  return view;
}

function epochsAt(view: DataView, at: number, count: number): readonly EpochStart[] {
  return Array.from({ length: count }, (_, i) => ({
    epoch: view.getUint32(at + 12 * i),
    startOffset: int64(view, at + 12 * i + 4),
  }));
}

export function readImage(bytes: Uint8Array): TableImage {
  const footer = checkEnd(bytes, "MRIM");
  const view = viewOf(bytes);
  const batchesBytes = footer.getUint32(20);
  const epochs = batchesBytes + footer.getUint32(64);
  const producersAt = epochs + footer.getUint32(68);
  const footerAt = producersAt + footer.getUint32(72);
  check(footerAt + footerBytes === bytes.length, "the lengths do not add up");
  const batches = bytes.subarray(0, batchesBytes);
  check(footer.getUint32(76) === crc32c(batches), "the CRC of the batches fails");
  const sections = bytes.subarray(batchesBytes, footerAt);
  check(footer.getUint32(80) === crc32c(sections), "the CRC of the sections fails");
  const baseOffset = int64(footer, 24);
  const index = Array.from({ length: (epochs - batchesBytes) / 16 }, (_, i) => ({
    baseOffset: baseOffset + view.getUint32(batchesBytes + 16 * i),
    position: view.getUint32(batchesBytes + 16 * i + 4),
    maxTimestampBefore: int64(view, batchesBytes + 16 * i + 8),
  }));
  return {
    topicId: hexAt(bytes, footerAt),
    partition: footer.getInt32(16),
    baseOffset,
    nextOffset: int64(footer, 32),
    maxTimestamp: int64(footer, 40),
    maxTimestampOffset: int64(footer, 48),
    recordCount: int64(footer, 56),
    batchesBytes,
    batches: readSegment(batches),
    index,
    leaderEpochs: epochsAt(view, epochs, (producersAt - epochs) / 12),
    producers: producersAt === footerAt ? [] : readProducers(bytes.subarray(producersAt, footerAt)),
  };
}

export function readCheckpoint(bytes: Uint8Array): TableCheckpoint {
  const footer = checkEnd(bytes, "MRCP");
  const view = viewOf(bytes);
  const [imagesBytes, sectionsBytes] = [int64(footer, 56), int64(footer, 64)];
  const count = footer.getUint32(72);
  const indexAt = imagesBytes + sectionsBytes;
  check(indexAt + 32 * count + footerBytes === bytes.length, "the lengths do not add up");
  const index = bytes.subarray(indexAt, indexAt + 32 * count);
  check(footer.getUint32(76) === crc32c(index), "the CRC of the index fails");
  const name = bytes.subarray(bytes.length - footerBytes, bytes.length - footerBytes + 48);
  const lines = Array.from({ length: count }, (_, i) => ({
    slot: view.getUint32(indexAt + 32 * i),
    epoch: view.getUint32(indexAt + 32 * i + 4),
    checkpoint: int64(view, indexAt + 32 * i + 8),
    position: int64(view, indexAt + 32 * i + 16),
    bytes: view.getUint32(indexAt + 32 * i + 24),
    crc: view.getUint32(indexAt + 32 * i + 28),
  }));
  return {
    incarnation: Buffer.from(name).toString("latin1").replace(/\0*$/u, ""),
    number: int64(footer, 48),
    imagesBytes,
    sectionsBytes,
    lines,
  };
}

/** The section that a line names, from the bytes of the checkpoint that it names. */
export function readSection(checkpoint: Uint8Array, line: TableLine): TableSection {
  const bytes = checkpoint.subarray(line.position, line.position + line.bytes);
  const view = viewOf(bytes);
  check(crc32c(bytes) === line.crc, "the CRC of a section fails");
  check(view.getUint16(0) === 1, "another version of a section");
  let at = 16;
  const partitions = Array.from({ length: view.getUint32(12) }, () => {
    const partition = { topicId: hexAt(bytes, at), partition: view.getUint32(at + 16) };
    const partCount = view.getUint32(at + 20);
    at += 24;
    const parts = Array.from({ length: partCount }, () => {
      const part = partAt(view, at);
      at += 52 + 12 * part.leaderEpochs.length;
      return part;
    });
    return { ...partition, parts };
  });
  check(at === bytes.length, "a section is longer than what it tells");
  return { slot: view.getUint32(4), epoch: view.getUint32(8), partitions };
}

function partAt(view: DataView, at: number): TablePart {
  return {
    checkpoint: int64(view, at),
    position: int64(view, at + 8),
    bytes: view.getUint32(at + 16),
    batchesBytes: view.getUint32(at + 20),
    baseOffset: int64(view, at + 24),
    nextOffset: int64(view, at + 32),
    maxTimestamp: int64(view, at + 40),
    leaderEpochs: epochsAt(view, at + 52, view.getUint32(at + 48)),
  };
}

/** Whose journal a fence ends, and where. */
export function readFence(bytes: Uint8Array): {
  readonly incarnation: string;
  readonly seq: number;
} {
  const view = viewOf(bytes);
  const magic = Buffer.from(bytes.subarray(0, 4)).toString("latin1");
  check(magic === "MLRF" && view.getUint16(4) === 1, `the magic is ${magic}, not MLRF`);
  check(bytes.length === 68 && view.getUint16(6) === 0, "a fence has 68 bytes");
  check(view.getUint32(64) === crc32c(bytes.subarray(0, 64)), "the CRC of a fence fails");
  return { incarnation: `${int64(view, 8)}-${hexAt(bytes, 16)}`, seq: int64(view, 32) };
}

/** The four digits before a cold segment's name. */
export function hashOfPath(path: string): string {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(path, "ascii")) hash = Math.imul(hash ^ byte, 0x01000193);
  return (((hash >>> 16) ^ hash) & 0xffff).toString(16).padStart(4, "0");
}
