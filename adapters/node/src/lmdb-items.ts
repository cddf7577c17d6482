import { closeSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import {
  assertInPartition,
  type Condition,
  holds,
  type KeyRange,
  MetadataError,
  pageBytesMax,
  rangePartition,
} from "@millrace/core";
import { open, type RootDatabase } from "lmdb";
import {
  damagedItem,
  type ItemBytes,
  type PageBytes,
  parsedItem,
  type TransactBytes,
  type WriteBytes,
} from "./item-bytes.ts";

/** Numbered bytes beside the items, which no key of an item can name. */
export interface Note {
  readonly number: number;
  readonly bytes: Uint8Array;
}

/** Valid within the call that gets it: what it does is part of that call's transaction. */
export interface NoteWriter {
  put(note: Note): void;
  remove(number: number): void;
}

/**
 * The items of a metadata store in an embedded LMDB, values as bytes; one folder, one process at a
 * time (the lock on the data directory sees to that).
 *
 * Durability: the database is opened without overlapping syncs, so that a commit is on the disk
 * (fdatasync) before it is visible to readers and before its promise resolves. `transactionSync`
 * is not used: it returns before the sync. Transactions that are called in one turn of the event
 * loop, or while another commit is being synced, share one commit, each applied whole or not at all.
 */
export class LmdbItems {
  readonly #db: RootDatabase<Buffer, Buffer>;
  readonly #notes: NoteWriter;

  private constructor(db: RootDatabase<Buffer, Buffer>) {
    this.#db = db;
    this.#notes = {
      put: ({ number, bytes }) => db.putSync(noteKey(number), Buffer.from(bytes)),
      remove: (number) => db.removeSync(noteKey(number)),
    };
  }

  /** Opens `folder`, which is made when absent. Throws MetadataError. */
  static open(folder: string): LmdbItems {
    try {
      const made = mkdirSync(folder, { recursive: true });
      const db = open<Buffer, Buffer>({
        path: folder,
        encoding: "binary",
        keyEncoding: "binary",
        overlappingSync: false,
        // A folder whose name has a dot would otherwise be taken for a file.
        noSubdir: false,
      });
      syncFolder(folder);
      if (made !== undefined) syncFolder(dirname(made));
      return new LmdbItems(db);
    } catch (cause) {
      const message = `the metadata in ${folder} cannot be opened`;
      throw new MetadataError(message, { retriable: false, applied: "no", cause });
    }
  }

  get(key: string): ItemBytes | undefined {
    const value = this.#db.get(keyBytes(key));
    return value === undefined ? undefined : decoded(key, value);
  }

  range(range: KeyRange): PageBytes {
    const partition = rangePartition(range);
    const { from, to, limit } = range;
    const items: ItemBytes[] = [];
    if (from >= to) return { items };
    let bytes = 0;
    const bounds = { start: keyBytes(from), end: keyBytes(to), limit: limit + 1 };
    for (const { key, value } of this.#db.getRange(bounds)) {
      const text = keyText(key);
      if (items.length === limit || bytes >= pageBytesMax) return { items, next: text };
      assertInPartition(partition, text);
      const item = decoded(text, value);
      items.push(item);
      bytes += item.json.length;
    }
    return { items };
  }

  firstKey({ from, to }: Pick<KeyRange, "from" | "to">): string | undefined {
    const bounds = { start: keyBytes(from), end: keyBytes(to), limit: 1 };
    for (const key of this.#db.getKeys(bounds)) return keyText(key);
    return undefined;
  }

  /** All items, of every partition, in order. */
  all(): readonly ItemBytes[] {
    const entries = this.#db.getRange({ end: noteKey(0) });
    return [...entries].map(({ key, value }) => decoded(keyText(key), value));
  }

  /**
   * Resolves when the transaction is durable. `whenHeld` is called inside it if all conditions
   * hold, so that its notes are kept if and only if the writes are.
   */
  async transact(
    writes: readonly WriteBytes[],
    whenHeld?: (notes: NoteWriter) => void,
  ): Promise<TransactBytes> {
    try {
      return await this.#db.transaction(() => {
        const outcome = this.#applyAll(writes);
        if (outcome.ok) whenHeld?.(this.#notes);
        return outcome;
      });
    } catch (cause) {
      const isFull = cause instanceof Error && /MDB_MAP_FULL|ENOSPC|No space/u.test(cause.message);
      const details = { retriable: isFull, applied: "maybe", cause } as const;
      throw new MetadataError("the metadata could not be written", details);
    }
  }

  note(number: number): Uint8Array | undefined {
    return this.#db.get(noteKey(number));
  }

  /** All notes, by ascending numbers. */
  *notes(): Generator<Note> {
    const bounds = { start: noteKey(0), end: Buffer.alloc(noteKeyBytes, noteMark) };
    for (const { key, value } of this.#db.getRange(bounds)) {
      yield { number: Number(key.readBigUInt64BE(1)), bytes: value };
    }
  }

  async close(): Promise<void> {
    await this.#db.close();
  }

  /** Runs inside a write transaction, together with others: conditions see what those wrote. */
  #applyAll(writes: readonly WriteBytes[]): TransactBytes {
    const found = writes.map((write) => this.get(write.key));
    const refused: { readonly key: string; readonly found: ItemBytes | undefined }[] = [];
    writes.forEach(({ key, condition }, index) => {
      if (!holdsFor(condition, found[index])) refused.push({ key, found: found[index] });
    });
    if (refused.length > 0) return { ok: false, refused };
    writes.forEach((write, index) => {
      const key = keyBytes(write.key);
      if (write.kind === "delete") this.#db.removeSync(key);
      if (write.kind === "put") {
        const version = (found[index]?.version ?? 0) + 1;
        this.#db.putSync(key, Buffer.concat([Buffer.from(`${version} `), write.json]));
      }
    });
    return { ok: true };
  }
}

/** Parses the value only where the condition reads it. */
function holdsFor(condition: Condition | undefined, found: ItemBytes | undefined): boolean {
  if (found === undefined) return holds(condition, undefined);
  if (condition?.is === "epochAtMost") return holds(condition, parsedItem(found));
  return holds(condition, { key: found.key, version: found.version, value: {} });
}

const blank = 0x20;

/** An item is its version in decimal, a blank, and the value's JSON. */
export function decoded(key: string, bytes: Buffer): ItemBytes {
  const at = bytes.indexOf(blank);
  const version = Number(bytes.toString("latin1", 0, Math.max(0, at)));
  if (!Number.isSafeInteger(version) || version < 1) throw damagedItem(key);
  return { key, version, json: bytes.subarray(at + 1) };
}

/** Above every byte of an item's key. */
export const noteMark = 0xff;
const noteKeyBytes = 9;

function noteKey(number: number): Buffer {
  const key = Buffer.alloc(noteKeyBytes, noteMark);
  key.writeBigUInt64BE(BigInt(number), 1);
  return key;
}

/**
 * A key's bytes: UTF-8 of each UTF-16 unit (CESU-8), because the port orders keys by those units
 * and LMDB by bytes. At most 1.5 times the bytes of UTF-8, below LMDB's bound of 1978.
 */
function keyBytes(key: string): Buffer {
  const utf8 = Buffer.from(key);
  // As long as the text: all of it is ASCII, where both encodings are the same.
  if (utf8.length === key.length) return utf8;
  const bytes: number[] = [];
  for (let index = 0; index < key.length; index += 1) {
    const unit = key.charCodeAt(index);
    if (unit < 0x80) bytes.push(unit);
    else if (unit < 0x800) bytes.push(0xc0 | (unit >> 6), 0x80 | (unit & 0x3f));
    else bytes.push(0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f));
  }
  return Buffer.from(bytes);
}

export function keyText(bytes: Buffer): string {
  let text = "";
  for (let index = 0; index < bytes.length; ) {
    const [first = 0, second = 0, third = 0] = bytes.subarray(index, index + 3);
    if (first < 0x80) {
      text += String.fromCharCode(first);
      index += 1;
    } else if (first < 0xe0) {
      text += String.fromCharCode(((first & 0x1f) << 6) | (second & 0x3f));
      index += 2;
    } else {
      const high = ((first & 0x0f) << 12) | ((second & 0x3f) << 6);
      text += String.fromCharCode(high | (third & 0x3f));
      index += 3;
    }
  }
  return text;
}

/** Makes the names in the folder durable. */
function syncFolder(folder: string): void {
  const handle = openSync(folder, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
