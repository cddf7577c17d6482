import type { IncarnationId } from "@millrace/core";
import {
  decodeFence,
  decodeJournalHeader,
  decodeJournalObject,
  isOfIncarnation,
  JOURNAL_HEADER_BYTES,
} from "@millrace/wire";
import type { Crc32c, JournalObject } from "@millrace/wire";
import type { ObjectAccess } from "../../tier/object-access.ts";
import { JournalObjectDamagedError, JournalObjectMissingError } from "./journal-errors.ts";
import { journalKey } from "./journal-keys.ts";
import type { JournalLimits } from "../limits.ts";

/** The journal of one incarnation, as a reader sees it. */
export interface JournalReads {
  readonly objects: ObjectAccess;
  readonly crc32c: Crc32c;
  readonly cluster: string;
  readonly incarnation: IncarnationId;
  readonly limits: JournalLimits;
}

export interface FoundJournalObject {
  readonly seq: number;
  readonly object: JournalObject;
  /** The object's bytes; entries' positions are relative to them. */
  readonly bytes: Uint8Array;
}

/** Seqs from `first` up to, not including, `end`. */
export interface SeqRange {
  readonly first: number;
  readonly end: number;
}

/**
 * The objects of a range of seqs, in order, some read ahead; every byte of them is checked, and
 * that it is this journal's object of that seq.
 *
 * Throws JournalObjectMissingError, JournalObjectDamagedError (also for a fence), ObjectError.
 */
export async function* readJournalObjects(
  reads: JournalReads,
  { end, first }: SeqRange,
): AsyncGenerator<FoundJournalObject> {
  const ahead: Promise<FoundJournalObject>[] = [];
  for (let seq = first, next = first; seq < end; seq++) {
    for (; next < end && ahead.length < reads.limits.readsInFlightMax; next++) {
      const reading = readObject(reads, next);
      // Thrown where it is awaited; who stops reading before has no use for it.
      reading.catch(() => undefined);
      ahead.push(reading);
    }
    const found = await ahead.shift();
    if (found !== undefined) yield found;
  }
}

async function readObject(reads: JournalReads, seq: number): Promise<FoundJournalObject> {
  const { crc32c, incarnation } = reads;
  const key = journalKey(reads.cluster, incarnation, seq);
  const bytes = await readWhole(reads, key);
  const decoded = decodeJournalObject(bytes, crc32c);
  if (decoded.kind === "invalid") throw damaged(key, decoded.reason);
  const { object } = decoded;
  if (!isOfIncarnation(object.header, incarnation) || object.header.seq !== seq) {
    throw new JournalObjectDamagedError(key, "it is another journal's, or another seq's");
  }
  return { seq, object, bytes };
}

/** In one read, or two where it is larger than what a group commit usually has. */
async function readWhole({ crc32c, limits, objects }: JournalReads, key: string) {
  const first = await objects.readRange(key, { from: 0, bytes: limits.firstReadBytes });
  if (first === undefined) throw new JournalObjectMissingError(key);
  const decoded = decodeJournalHeader(first, crc32c);
  if (decoded.kind === "invalid") throw damaged(key, decoded.reason);
  const { objectBytes } = decoded.header;
  if (first.length >= objectBytes) return first;
  const range = { from: first.length, bytes: objectBytes - first.length };
  const rest = await objects.readRange(key, range);
  if (rest === undefined) throw new JournalObjectMissingError(key);
  const whole = new Uint8Array(first.length + rest.length);
  whole.set(first);
  whole.set(rest, first.length);
  return whole;
}

/**
 * What stands at a seq, by its first bytes. Throws JournalObjectDamagedError for what is neither,
 * and ObjectError.
 */
export async function lookAtSeq(
  { cluster, crc32c, incarnation, objects }: JournalReads,
  seq: number,
): Promise<"object" | "fence" | "nothing"> {
  const key = journalKey(cluster, incarnation, seq);
  const bytes = await objects.readRange(key, { from: 0, bytes: JOURNAL_HEADER_BYTES });
  if (bytes === undefined) return "nothing";
  const fence = decodeFence(bytes, crc32c);
  if (fence.kind === "invalid" && fence.reason !== "notAFence") throw damaged(key, fence.reason);
  const decoded = fence.kind === "ok" ? fence : decodeJournalHeader(bytes, crc32c);
  if (decoded.kind === "invalid") throw damaged(key, decoded.reason);
  const name = "fence" in decoded ? decoded.fence : decoded.header;
  if (!isOfIncarnation(name, incarnation) || name.seq !== seq) {
    throw new JournalObjectDamagedError(key, "it is another journal's, or another seq's");
  }
  return "fence" in decoded ? "fence" : "object";
}

function damaged(key: string, reason: string): JournalObjectDamagedError {
  const isNewer = reason === "newerFormat";
  return new JournalObjectDamagedError(key, isNewer ? "a newer release wrote it" : reason);
}
