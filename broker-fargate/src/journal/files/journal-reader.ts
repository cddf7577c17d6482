import type { Disk, DiskFile, IncarnationId } from "@millrace/core";
import {
  JOURNAL_ALIGNMENT_BYTES,
  JOURNAL_HEADER_BYTES,
  decodeJournalHeader,
  decodeJournalObject,
  isOfIncarnation,
} from "@millrace/wire";
import type { Crc32c, JournalObject } from "@millrace/wire";
import { align, firstSeqOf, journalDirectory } from "./journal-files.ts";

/**
 * Reads the objects that an incarnation left, from its trim on, in the order of their seqs.
 *
 * Only one object at a time was written and not yet synced. So the journal ends, rightly, at the
 * first place where the next seq's object is not whole, if nothing of a later seq exists behind it:
 * that one was never acknowledged. If something does, or a file is missing in the middle, then
 * bytes that were durable are gone, which is never taken for an end: JournalDamagedError.
 */
export interface JournalSource {
  readonly disk: Disk;
  readonly crc32c: Crc32c;
  readonly incarnation: IncarnationId;
  /** The first seq that counts; what lies below is durable elsewhere. */
  readonly trim: number;
}

export interface FoundObject {
  readonly object: JournalObject;
  /** The object's bytes; entries' positions are relative to them. */
  readonly bytes: Uint8Array;
}

/**
 * Acknowledged bytes are missing, or of a newer format. Nobody may serve before a person looked.
 */
export class JournalDamagedError extends Error {
  override readonly name = "JournalDamagedError";
  readonly path: string;

  constructor(path: string, what: string) {
    super(`journal ${path}: ${what}`);
    this.path = path;
  }
}

export function* readJournal(source: JournalSource): Generator<FoundObject> {
  const files = listFiles(source);
  let expected = files[0]?.firstSeq;
  for (const [i, { path, firstSeq }] of files.entries()) {
    if (firstSeq !== expected) {
      throw new JournalDamagedError(path, `begins at ${firstSeq}; ${expected} is missing`);
    }
    const file = source.disk.open(path, { create: "never" });
    if (file === undefined) throw new JournalDamagedError(path, "the file is gone");
    try {
      const isLast = i === files.length - 1;
      expected = yield* readFile(source, { file, path, firstSeq, isLast });
    } finally {
      file.close();
    }
  }
}

interface OpenFile {
  readonly file: DiskFile;
  readonly path: string;
  readonly firstSeq: number;
  readonly isLast: boolean;
}

/** Returns the seq that comes after the file's last object. */
function* readFile(source: JournalSource, open: OpenFile): Generator<FoundObject, number> {
  let seq = open.firstSeq;
  let position = 0;
  for (;;) {
    const found = readObject(source, open, { position, seq });
    if (found === undefined) break;
    if (seq >= source.trim) yield found;
    position += align(found.object.header.objectBytes);
    seq++;
  }
  if (open.isLast) assertNothingFollows(source, open, { position, seq });
  return seq;
}

interface Place {
  readonly position: number;
  readonly seq: number;
}

function readObject(source: JournalSource, open: OpenFile, place: Place): FoundObject | undefined {
  const { crc32c, incarnation } = source;
  const head = new Uint8Array(JOURNAL_HEADER_BYTES);
  const headBytes = open.file.read(place.position, head);
  const decoded = decodeJournalHeader(head.subarray(0, headBytes), crc32c);
  if (decoded.kind === "invalid") {
    if (decoded.reason === "newerFormat") throw newerFormat(open.path);
    return undefined;
  }
  const { header } = decoded;
  if (header.seq !== place.seq || !isOfIncarnation(header, incarnation)) return undefined;
  if (place.position + header.objectBytes > open.file.size()) return undefined;
  const bytes = new Uint8Array(header.objectBytes);
  open.file.read(place.position, bytes);
  const whole = decodeJournalObject(bytes, crc32c);
  return whole.kind === "ok" ? { object: whole.object, bytes } : undefined;
}

const scanBytes = 256 * JOURNAL_ALIGNMENT_BYTES;

/** The object of `place.seq` is not whole. That is the end only if no later one was ever begun. */
function assertNothingFollows(source: JournalSource, open: OpenFile, place: Place): void {
  const size = open.file.size();
  const window = new Uint8Array(Math.min(scanBytes, Math.max(0, size - place.position)));
  for (let from = place.position; from < size; from += scanBytes) {
    const read = open.file.read(from, window);
    for (let at = 0; at + JOURNAL_HEADER_BYTES <= read; at += JOURNAL_ALIGNMENT_BYTES) {
      const head = window.subarray(at, at + JOURNAL_HEADER_BYTES);
      const decoded = decodeJournalHeader(head, source.crc32c);
      if (decoded.kind === "invalid") continue;
      const { header } = decoded;
      if (header.seq <= place.seq || !isOfIncarnation(header, source.incarnation)) continue;
      const what = `object ${place.seq} is damaged, and object ${header.seq} follows it`;
      throw new JournalDamagedError(open.path, what);
    }
  }
}

/** The files from the one that holds `trim` on. */
function listFiles(
  source: JournalSource,
): readonly { readonly path: string; readonly firstSeq: number }[] {
  const directory = journalDirectory(source.incarnation);
  const files: { readonly path: string; readonly firstSeq: number }[] = [];
  for (const name of source.disk.list(directory)) {
    const firstSeq = firstSeqOf(name);
    if (firstSeq !== undefined) files.push({ path: `${directory}/${name}`, firstSeq });
  }
  const start = files.findLastIndex(({ firstSeq }) => firstSeq <= source.trim);
  const [first] = files;
  if (first === undefined) return [];
  if (start === -1) {
    const what = `begins at ${first.firstSeq}; the objects from ${source.trim} on are missing`;
    throw new JournalDamagedError(first.path, what);
  }
  return files.slice(start);
}

function newerFormat(path: string): JournalDamagedError {
  return new JournalDamagedError(path, "was written by a newer release");
}
