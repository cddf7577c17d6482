import { type IncarnationId, Lanes } from "@millrace/core";
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
import { ReadAheadRoom } from "./read-ahead-room.ts";
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
 * The objects of a range of seqs, in order; every byte of them is checked, and that it is this
 * journal's object of that seq. Many are read ahead: a journal under light load is hundreds of small
 * ones, and each takes a store as long as a large one. How many bytes that are is bounded apart.
 *
 * Throws JournalObjectMissingError, JournalObjectDamagedError (also for a fence), ObjectError.
 */
export async function* readJournalObjects(
  reads: JournalReads,
  { end, first }: SeqRange,
): AsyncGenerator<FoundJournalObject> {
  const { readAheadBytesMax, readsInFlightMax } = reads.limits;
  const ways: Ways = {
    lanes: new Lanes(readsInFlightMax),
    room: new ReadAheadRoom(readAheadBytesMax),
    isOver: false,
  };
  try {
    yield* inOrder(reads, { end, first }, ways);
  } finally {
    // Of what was to be read ahead, nothing more begins.
    ways.isOver = true;
  }
}

async function* inOrder(
  reads: JournalReads,
  { end, first }: SeqRange,
  ways: Ways,
): AsyncGenerator<FoundJournalObject> {
  const { objectsAheadMax } = reads.limits;
  const ahead: Promise<ReadObject>[] = [];
  for (let seq = first, next = first; seq < end; seq++) {
    for (; next < end && ahead.length < objectsAheadMax; next++) {
      const reading = readObject(reads, next, ways);
      // Thrown where it is awaited; who stops reading before has no use for it.
      reading.catch(() => undefined);
      ahead.push(reading);
    }
    const read = await ahead.shift();
    if (read === undefined) continue;
    yield read.found;
    ways.room.free(read.restBytes);
  }
}

/** What bounds the reads of one reader. */
interface Ways {
  readonly lanes: Lanes;
  readonly room: ReadAheadRoom;
  /** Nobody takes any more of what is read. */
  isOver: boolean;
}

interface ReadObject {
  readonly found: FoundJournalObject;
  /** What of the object a second read gave. */
  readonly restBytes: number;
}

async function readObject(reads: JournalReads, seq: number, ways: Ways): Promise<ReadObject> {
  const { crc32c, incarnation } = reads;
  const key = journalKey(reads.cluster, incarnation, seq);
  const begun = ways.lanes.run(() => {
    assertWanted(ways);
    return readBeginning(reads, key);
  });
  // In this turn: there is room in the order of seqs.
  await ways.room.take(begun.then(({ restBytes }) => restBytes));
  const { first, restBytes } = await begun;
  assertWanted(ways);
  const bytes = restBytes === 0 ? first : await readRest(reads, key, { first, restBytes });
  const decoded = decodeJournalObject(bytes, crc32c);
  if (decoded.kind === "invalid") throw damaged(key, decoded.reason);
  const { object } = decoded;
  if (!isOfIncarnation(object.header, incarnation) || object.header.seq !== seq) {
    throw new JournalObjectDamagedError(key, "it is another journal's, or another seq's");
  }
  return { found: { seq, object, bytes }, restBytes };
}

/** Thrown to nobody: who read on has gone. */
function assertWanted({ isOver }: Ways): void {
  if (isOver) throw new Error("nobody reads on");
}

interface Beginning {
  readonly first: Uint8Array;
  /** 0: it is the whole object. */
  readonly restBytes: number;
}

async function readBeginning(
  { crc32c, limits, objects }: JournalReads,
  key: string,
): Promise<Beginning> {
  const first = await objects.readRange(key, { from: 0, bytes: limits.firstReadBytes });
  if (first === undefined) throw new JournalObjectMissingError(key);
  const decoded = decodeJournalHeader(first, crc32c);
  if (decoded.kind === "invalid") throw damaged(key, decoded.reason);
  return { first, restBytes: Math.max(0, decoded.header.objectBytes - first.length) };
}

async function readRest(
  { objects }: JournalReads,
  key: string,
  { first, restBytes }: Beginning,
): Promise<Uint8Array> {
  const rest = await objects.readRange(key, { from: first.length, bytes: restBytes });
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
