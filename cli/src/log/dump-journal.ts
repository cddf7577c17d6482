import {
  decodeJournalHeader,
  decodeJournalObject,
  JOURNAL_ALIGNMENT_BYTES,
  JOURNAL_HEADER_BYTES,
  type JournalObjectHeader,
} from "@millrace/wire";
import { dumpBatches } from "./dump-batches.ts";
import type { Dump } from "./dumper.ts";
import { hexOf } from "./shown-bytes.ts";
import { sourceOf } from "./source.ts";

/**
 * A `.journal` file: whole objects of ascending seqs from its first byte on, then zeros, or what
 * the file held in a former life, which has lower seqs and does not count. So it ends at the first
 * place where the next seq's object is not; damaged is what begins like that object, and any end
 * that an object of a later seq follows.
 */
export function dumpJournal(dump: Dump): void {
  const { path, report, source } = dump;
  const named = /(\d{20})\.journal$/u.exec(path)?.[1];
  let seq = named === undefined ? undefined : Number(named);
  let position = 0;
  while (position < source.bytes) {
    const header = headerAt(dump, position);
    if (header === "damaged") return report.damage(position, "object-header-damaged");
    if (header === "newer") return report.damage(position, "newer-format");
    if (header === "none" || (seq !== undefined && header.seq !== seq)) break;
    if (!dumpObject(dump, position, header)) return;
    seq = header.seq + 1;
    position = align(position + header.objectBytes);
  }
  if (seq === undefined) return;
  const later = findLater(dump, position, seq);
  if (later !== undefined) {
    report.damage(position, `object ${seq} is missing, and ${later.seq} lies at ${later.at}`);
  }
}

function align(position: number): number {
  return Math.ceil(position / JOURNAL_ALIGNMENT_BYTES) * JOURNAL_ALIGNMENT_BYTES;
}

function headerAt(
  { crc32c, source }: Dump,
  position: number,
): JournalObjectHeader | "none" | "damaged" | "newer" {
  const decoded = decodeJournalHeader(source.read(position, JOURNAL_HEADER_BYTES), crc32c);
  if (decoded.kind === "ok") return decoded.header;
  if (decoded.reason === "headerDamaged") return "damaged";
  return decoded.reason === "newerFormat" ? "newer" : "none";
}

/** False, and a damage, where the object is not whole. */
function dumpObject(dump: Dump, position: number, header: JournalObjectHeader): boolean {
  const { crc32c, report, source } = dump;
  const isThere = header.objectBytes <= source.bytes - position;
  const bytes = isThere ? source.read(position, header.objectBytes) : new Uint8Array();
  const decoded = decodeJournalObject(bytes, crc32c);
  if (decoded.kind === "invalid") {
    report.damage(position, isThere ? "object-damaged" : "truncated");
    return false;
  }
  const { incarnation, nonce, objectBytes, seq, wallMs } = header;
  const { entries } = decoded.object;
  report.count("objects");
  report.line("object", {
    ...{ at: position, incarnation, seq, bytes: objectBytes, wallMs },
    ...{ entries: entries.length, nonce: hexOf(nonce) },
  });
  for (const { position: at, ...entry } of entries) {
    report.count("entries");
    report.line("entry", { at: position + at, ...entry });
    const body = bytes.subarray(at, at + entry.length);
    for (const batch of dumpBatches(dump, sourceOf(body, position + at))) {
      report.count("bytesOfBatches", batch.bytes.length);
    }
  }
  return true;
}

/** An object at or after `seq` behind the end: what lies before it is gone. */
function findLater(
  dump: Dump,
  from: number,
  seq: number,
): { readonly at: number; readonly seq: number } | undefined {
  for (let at = from; at < dump.source.bytes; at += JOURNAL_ALIGNMENT_BYTES) {
    const header = headerAt(dump, at);
    if (typeof header === "object" && header.seq >= seq) return { at, seq: header.seq };
  }
  return undefined;
}
