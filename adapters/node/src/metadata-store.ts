import { closeSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import {
  assertKey,
  assertWrites,
  holds,
  type Item,
  type ItemValue,
  itemJson,
  type KeyRange,
  MetadataError,
  type MetadataStore,
  type Page,
  type TransactOutcome,
  type Write,
} from "@millrace/core";
import { open, type RootDatabase } from "lmdb";

/**
 * The metadata store in an embedded LMDB, one folder, one process at a time (the lock on the data
 * directory sees to that).
 *
 * Durability: the database is opened without overlapping syncs, so that a commit is on the disk
 * (fdatasync) before it is visible to readers and before its promise resolves. `transactionSync`
 * is not used: it returns before the sync. Transactions that are called in one turn of the event
 * loop share one commit, each applied whole or not at all.
 */
export class LmdbMetadataStore implements MetadataStore {
  readonly #db: RootDatabase<Buffer, Buffer>;
  #isClosed = false;

  private constructor(db: RootDatabase<Buffer, Buffer>) {
    this.#db = db;
  }

  /** Opens the store in `folder`, which is made when absent. Throws MetadataError. */
  static open(folder: string): LmdbMetadataStore {
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
      return new LmdbMetadataStore(db);
    } catch (cause) {
      const message = `the metadata in ${folder} cannot be opened`;
      throw new MetadataError(message, { retriable: false, applied: "no", cause });
    }
  }

  async get(key: string): Promise<Item | undefined> {
    this.#checkOpen();
    assertKey(key);
    return this.#find(key);
  }

  async range({ from, to, limit }: KeyRange): Promise<Page> {
    this.#checkOpen();
    const items: Item[] = [];
    if (from >= to) return { items };
    const bounds = { start: keyBytes(from), end: keyBytes(to), limit: limit + 1 };
    const entries = this.#db.getRange(bounds);
    for (const { key, value } of entries) {
      if (items.length === limit) return { items, next: keyText(key) };
      items.push(decoded(keyText(key), value));
    }
    return { items };
  }

  async transact(writes: readonly Write[]): Promise<TransactOutcome> {
    this.#checkOpen();
    assertWrites(writes);
    const jsons = writes.map((write) => (write.kind === "put" ? itemJson(write) : ""));
    try {
      return await this.#db.transaction(() => this.#applyAll(writes, jsons));
    } catch (cause) {
      const isFull = cause instanceof Error && /MDB_MAP_FULL|ENOSPC|No space/u.test(cause.message);
      const details = { retriable: isFull, applied: "maybe", cause } as const;
      throw new MetadataError("the metadata could not be written", details);
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#db.close();
  }

  /** Runs inside a write transaction, together with others: conditions see what those wrote. */
  #applyAll(writes: readonly Write[], jsons: readonly string[]): TransactOutcome {
    const found = writes.map((write) => this.#find(write.key));
    const refused: { readonly key: string; readonly found: Item | undefined }[] = [];
    writes.forEach(({ key, condition }, index) => {
      if (!holds(condition, found[index])) refused.push({ key, found: found[index] });
    });
    if (refused.length > 0) return { ok: false, refused };
    writes.forEach((write, index) => {
      const key = keyBytes(write.key);
      if (write.kind === "delete") this.#db.removeSync(key);
      if (write.kind === "put") {
        const version = (found[index]?.version ?? 0) + 1;
        this.#db.putSync(key, Buffer.from(`${version} ${jsons[index] ?? ""}`));
      }
    });
    return { ok: true };
  }

  #find(key: string): Item | undefined {
    const value = this.#db.get(keyBytes(key));
    return value === undefined ? undefined : decoded(key, value);
  }

  #checkOpen(): void {
    if (!this.#isClosed) return;
    throw new MetadataError("the store is closed", { retriable: false, applied: "no" });
  }
}

/** An item is its version in decimal, a blank, and the value's JSON. */
function decoded(key: string, bytes: Buffer): Item {
  const text = bytes.toString("utf8");
  const blank = text.indexOf(" ");
  const version = Number(text.slice(0, blank));
  if (!Number.isSafeInteger(version) || version < 1) {
    throw new MetadataError(`the item ${key} is damaged`, { retriable: false, applied: "no" });
  }
  return { key, version, value: JSON.parse(text.slice(blank + 1)) as ItemValue };
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

function keyText(bytes: Buffer): string {
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
