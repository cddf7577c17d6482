import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { open } from "lmdb";
import { decoded, keyText, noteMark } from "./lmdb-items.ts";

/** What one key of the metadata's database holds: an item, a note of a host, or neither. */
export type StoredEntry =
  | { readonly is: "item"; readonly key: string; readonly version: number; readonly json: string }
  | { readonly is: "note"; readonly number: string; readonly bytes: number }
  | { readonly is: "damaged"; readonly key: string };

/**
 * Everything in a `data.mdb`, in the order of its keys, for a person to read. Where a broker may have
 * it open, which its lock file beside it tells, it is read in place, as LMDB lets processes do; else
 * from a copy, so that nothing comes to be beside it. Throws LMDB's error where it is none.
 */
export function* readStoredEntries(file: string): Generator<StoredEntry> {
  const folder = dirname(file);
  if (existsSync(join(folder, "lock.mdb"))) return yield* entriesIn(folder);
  const copy = mkdtempSync(join(tmpdir(), "millrace-items-"));
  try {
    copyFileSync(file, join(copy, "data.mdb"));
    yield* entriesIn(copy);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

function* entriesIn(folder: string): Generator<StoredEntry> {
  const options = { encoding: "binary", keyEncoding: "binary", noSubdir: false } as const;
  const db = open<Buffer, Buffer>({ ...options, path: folder, readOnly: true });
  try {
    for (const { key, value } of db.getRange({})) yield entryOf(key, value);
  } finally {
    void db.close();
  }
}

function entryOf(key: Buffer, value: Buffer): StoredEntry {
  if (key[0] === noteMark) {
    return { is: "note", number: key.toString("hex", 1), bytes: value.length };
  }
  const text = keyText(key);
  try {
    const { version, json } = decoded(text, value);
    const shown = Buffer.from(json).toString();
    JSON.parse(shown);
    return { is: "item", key: text, version, json: shown };
  } catch {
    return { is: "damaged", key: text };
  }
}
