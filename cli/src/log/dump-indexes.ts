import {
  decodeIndexHeader,
  decodeIndexPoint,
  indexHeaderBytes,
  indexSegment,
  indexVersions,
  offsetEntryBytes,
  offsetIndexMagic,
  timeEntryBytes,
  timeIndexMagic,
} from "@millrace/core";
import { BATCH_HEADER_BYTES, readBaseOffset } from "@millrace/wire";
import { type Dump, viewOf } from "./dumper.ts";
import type { Source } from "./source.ts";

/** `.index`: checked against the segment beside it, if there is one: it has no CRC of its own. */
export function dumpOffsetIndex(dump: Dump): void {
  const { path, report, source } = dump;
  const baseOffset = readHeader(dump, offsetIndexMagic);
  if (baseOffset === undefined) return;
  const segment = dump.beside(path.replace(/\.index$/u, ".log"));
  let before = { offset: -1, position: -1 };
  for (const { at, bytes } of entriesOf(dump, source, offsetEntryBytes)) {
    const view = viewOf(bytes);
    const entry = { offset: baseOffset + view.getUint32(0), position: view.getUint32(4) };
    report.count("entries");
    report.line("entry", { at, ...entry });
    if (entry.offset <= before.offset || entry.position <= before.position) {
      return report.damage(at, "entries-do-not-ascend");
    }
    if (segment !== undefined && !pointsAtBatch(segment, entry)) {
      return report.damage(at, "no-batch-of-that-offset-where-it-points");
    }
    before = entry;
  }
}

/** `.timeindex`: its CRCs bind each entry to the one in the `.index` beside it. */
export function dumpTimeIndex(dump: Dump): void {
  const { crc32c, path, report, source } = dump;
  const baseOffset = readHeader(dump, timeIndexMagic);
  if (baseOffset === undefined) return;
  const offsets = dump.beside(path.replace(/\.timeindex$/u, ".index"));
  const segment = indexSegment(baseOffset, crc32c);
  let offsetAt = indexHeaderBytes;
  for (const { at, bytes } of entriesOf(dump, source, timeEntryBytes)) {
    const offsetEntry = offsets?.read(offsetAt, offsetEntryBytes);
    offsetAt += offsetEntryBytes;
    // A death between two writes leaves one of the files longer: its surplus does not count.
    if (offsetEntry?.length !== offsetEntryBytes) {
      report.count("entriesWithoutTheirOther");
      continue;
    }
    const point = decodeIndexPoint(offsetEntry, bytes, segment);
    if (point === "damaged") return report.damage(at, "bad-crc");
    report.count("entries");
    report.line("entry", { at, ...point });
  }
}

/**
 * The segment's base offset. Undefined, and a damage, where there is no header of the kind; and for
 * a file of an older version, which the next start makes again.
 */
function readHeader({ report, source }: Dump, magic: number): number | undefined {
  const header = decodeIndexHeader(source.read(0, indexHeaderBytes), magic);
  const current = indexVersions.get(magic) ?? 0;
  if (header === undefined || header.version < 1 || header.version > current) {
    report.damage(0, "no-header-of-a-known-version");
    return undefined;
  }
  const isOld = header.version < current;
  report.line("header", { at: 0, ...header, outdated: isOld || undefined });
  return isOld ? undefined : header.baseOffset;
}

function* entriesOf(
  { report }: Dump,
  source: Source,
  entryBytes: number,
): Generator<{ readonly at: number; readonly bytes: Uint8Array }> {
  for (let at = indexHeaderBytes; at < source.bytes; at += entryBytes) {
    const bytes = source.read(at, entryBytes);
    if (bytes.length < entryBytes) return report.damage(at, "truncated");
    yield { at, bytes };
  }
}

function pointsAtBatch(
  segment: Source,
  entry: { readonly offset: number; readonly position: number },
): boolean {
  const header = segment.read(entry.position, BATCH_HEADER_BYTES);
  if (header.length < BATCH_HEADER_BYTES) return false;
  return readBaseOffset(viewOf(header), 0) === entry.offset;
}
