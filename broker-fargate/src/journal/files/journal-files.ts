import { assert } from "@millrace/core";
import type { Disk, DiskFile, IncarnationId } from "@millrace/core";
import { JOURNAL_ALIGNMENT_BYTES } from "@millrace/wire";
import type { EncodedJournalObject } from "@millrace/wire";
import { SpareFiles } from "./journal-spares.ts";
import type { PartitionLimits } from "../../partition/limits.ts";

/**
 * The files of one incarnation's journal: `journal/{incarnation}/{first seq, 20 digits}.journal`.
 *
 * Objects lie in them in the order of their seqs, each at a multiple of the alignment, with no seq
 * left out; one object lies in one file. A file is one that was trimmed (`journal-spares.ts`), or
 * preallocated in steps, so that most commits change no metadata of the file system and their
 * fdatasync is one write. What follows the last object is zeros, or what the file held before,
 * which has lower seqs. Only one object is ever written and not yet synced.
 */
export class JournalFiles {
  readonly directory: string;
  readonly #disk: Disk;
  readonly #limits: PartitionLimits;
  /** Ascending; the last one is open and takes the next object. */
  #files: JournalFile[] = [];
  readonly #spares: SpareFiles;
  #current: Current | undefined;

  constructor(options: {
    readonly disk: Disk;
    readonly incarnation: IncarnationId;
    readonly limits: PartitionLimits;
  }) {
    this.#disk = options.disk;
    this.#limits = options.limits;
    this.directory = journalDirectory(options.incarnation);
    this.#spares = new SpareFiles(options.disk, this.directory);
  }

  /** Bytes that the files take on the disk. */
  get allocatedBytes(): number {
    return this.#files.reduce((sum, { size }) => sum + size, this.#spares.bytes);
  }

  /**
   * Writes the object. Throws DiskError; the same object may then be written again, since nothing
   * of it was acknowledged and it goes to the same place.
   */
  write(seq: number, object: EncodedJournalObject): void {
    let current = this.#current;
    if (current === undefined || current.position + object.bytes > current.limit) {
      current = this.#startFile(seq, object.bytes);
    }
    this.#reserve(current, current.position + object.bytes);
    current.file.write(current.position, object.parts);
  }

  /** Resolves when the object that was written last is durable, its file's name included. */
  async sync(object: EncodedJournalObject): Promise<void> {
    const current = this.#current;
    assert(current !== undefined, "an object was written before it is synced");
    if (current.named) {
      await current.file.sync();
    } else {
      await Promise.all([current.file.sync(), this.#syncNames()]);
      current.named = true;
    }
    current.position += align(object.bytes);
  }

  /**
   * Lets go, upwards, of the files that hold nothing at or above `trim`, but never of the current
   * one: as many as are worth it are used again, the others are deleted. Throws DiskError; what is
   * left then goes the next time.
   */
  deleteBelow(trim: number): void {
    const { journalFileBytes, journalSpareFilesMax } = this.#limits;
    for (;;) {
      const [first, second] = this.#files;
      if (first === undefined || second === undefined || second.firstSeq > trim) break;
      const isKept = this.#spares.count < journalSpareFilesMax;
      if (isKept && first.size <= journalFileBytes) this.#spares.add(first);
      else this.#disk.remove(first.path);
      this.#files.shift();
    }
    this.#spares.syncNames();
  }

  /** Deletes all files, upwards; the next object begins a new one. Only when all is trimmed. */
  retire(): void {
    this.close();
    for (let first = this.#files[0]; first !== undefined; first = this.#files[0]) {
      this.#disk.remove(first.path);
      this.#files.shift();
    }
    this.#spares.removeAll();
  }

  close(): void {
    this.#current?.file.close();
    this.#current = undefined;
  }

  #startFile(seq: number, objectBytes: number): Current {
    const path = `${this.directory}/${String(seq).padStart(20, "0")}.journal`;
    this.#disk.makeDirectory(this.directory);
    const limit = Math.max(this.#limits.journalFileBytes, align(objectBytes));
    const isOrdinary = limit === this.#limits.journalFileBytes;
    const size = (isOrdinary ? this.#spares.take(path) : undefined) ?? 0;
    const file = this.#disk.open(path, { create: "ifAbsent" });
    assert(file !== undefined, "a file that is made if absent is there");
    this.#current?.file.close();
    this.#current = { file, limit, position: 0, named: false };
    this.#files.push({ path, firstSeq: seq, size });
    return this.#current;
  }

  /** Preallocates a step ahead: the whole file at once would hold up the commit that begins it. */
  #reserve(current: Current, end: number): void {
    const entry = this.#files.at(-1);
    if (entry === undefined || end <= entry.size) return;
    const step = Math.max(entry.size + this.#limits.journalGrowBytes, align(end));
    const size = Math.min(current.limit, step);
    current.file.resize(size);
    entry.size = size;
  }

  async #syncNames(): Promise<void> {
    await this.#disk.syncDirectory(this.directory);
    await this.#disk.syncDirectory(journalRoot);
  }
}

interface JournalFile {
  readonly path: string;
  readonly firstSeq: number;
  size: number;
}

interface Current {
  readonly file: DiskFile;
  /** Bytes that the file may have. */
  readonly limit: number;
  /** Where the next object goes. */
  position: number;
  /** Whether its name is durable. */
  named: boolean;
}

export const journalRoot = "journal";

export function journalDirectory(incarnation: IncarnationId): string {
  return `${journalRoot}/${incarnation}`;
}

/** The first seq that a file's name says, or undefined for a name that is no journal file's. */
export function firstSeqOf(name: string): number | undefined {
  const match = /^([0-9]{20})\.journal$/.exec(name);
  return match?.[1] === undefined ? undefined : Number(match[1]);
}

/**
 * Makes durable what a former life wrote to its journal, synced or not: it was read, and somebody
 * rests on it. Rejects with a DiskError.
 */
export async function syncJournalFiles(disk: Disk, incarnation: IncarnationId): Promise<void> {
  const directory = journalDirectory(incarnation);
  for (const name of disk.list(directory)) {
    if (firstSeqOf(name) === undefined) continue;
    const file = disk.open(`${directory}/${name}`, { create: "never" });
    try {
      await file?.sync();
    } finally {
      file?.close();
    }
  }
  await disk.syncDirectory(directory);
  await disk.syncDirectory(journalRoot);
}

export function align(bytes: number): number {
  return Math.ceil(bytes / JOURNAL_ALIGNMENT_BYTES) * JOURNAL_ALIGNMENT_BYTES;
}
