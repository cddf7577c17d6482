import type { CodecSet, Crc32c } from "@millrace/wire";
import type { Report } from "./report.ts";
import type { Source } from "./source.ts";

/** What is in a database of items, in the order of its keys. */
export type StoredEntries = (path: string) => Iterable<StoredEntry>;

export type StoredEntry =
  | { readonly is: "item"; readonly key: string; readonly version: number; readonly json: string }
  | { readonly is: "note"; readonly number: string; readonly bytes: number }
  | { readonly is: "damaged"; readonly key: string };

/** What every kind of dump is given. */
export interface Dump {
  readonly path: string;
  readonly source: Source;
  readonly report: Report;
  readonly records: "shown" | "hidden";
  readonly crc32c: Crc32c;
  readonly codecs: CodecSet;
  /** A file that lies beside it, whole; undefined where there is none. */
  readonly beside: (name: string) => Source | undefined;
  readonly storedEntries: StoredEntries;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
