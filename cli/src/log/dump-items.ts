import type { Fields } from "./report.ts";
import { type Dump, viewOf } from "./dumper.ts";

/** Of LMDB's two first pages, which take turns: where the newer one's fields lie. */
const metaAt = { magic: 24, pageBytes: 48, lastPage: 144, transaction: 152, end: 160 } as const;
const metaMagic = 0xbeefc0de;

/** What logins rest on: a dump may be shown to others. */
const hiddenFields: ReadonlySet<string> = new Set(["salt", "storedKey", "serverKey", "hash"]);

/** `data.mdb`: every item, the manifest's among them; the database itself is in LMDB's format. */
export function dumpItems(dump: Dump): void {
  const { path, report, source, storedEntries } = dump;
  const pages = pagesOf(dump);
  if (pages === undefined) return report.damage(0, "no database of LMDB");
  const bytes = pages.count * pages.bytes;
  // What is mapped and is not there would end the process.
  if (source.bytes < bytes) return report.damage(source.bytes, `${bytes} bytes are in use`);
  try {
    for (const entry of storedEntries(path)) {
      if (entry.is === "damaged") {
        report.damage(0, `no item: ${entry.key}`);
      } else if (entry.is === "note") {
        report.count("notes");
        report.line("note", { number: entry.number, bytes: entry.bytes });
      } else {
        report.count("items");
        const { key, version } = entry;
        report.line("item", { key, version, value: shown(entry.json) });
      }
    }
  } catch (error) {
    // Of LMDB's errors nothing but the sentence is known.
    report.damage(0, error instanceof Error ? error.message : String(error));
  }
}

function shown(json: string): Fields {
  return JSON.parse(json, (name: string, value: unknown) =>
    hiddenFields.has(name) ? "(hidden)" : value,
  ) as Fields;
}

/** The pages that the newer transaction uses; undefined where neither has LMDB's magic. */
function pagesOf({ source }: Dump): { readonly count: number; readonly bytes: number } | undefined {
  const first = metaOf(source.read(0, metaAt.end));
  const second = first && metaOf(source.read(first.pageBytes, metaAt.end));
  const newer = second !== undefined && second.transaction > (first?.transaction ?? 0n);
  const meta = newer ? second : first;
  return meta && { count: meta.lastPage + 1, bytes: meta.pageBytes };
}

interface Meta {
  readonly pageBytes: number;
  readonly lastPage: number;
  readonly transaction: bigint;
}

/** LMDB writes numbers as the machine has them: little endian wherever Millrace runs. */
function metaOf(page: Uint8Array): Meta | undefined {
  if (page.length < metaAt.end) return undefined;
  const view = viewOf(page);
  if (view.getUint32(metaAt.magic, true) !== metaMagic) return undefined;
  return {
    pageBytes: view.getUint32(metaAt.pageBytes, true),
    lastPage: Number(view.getBigUint64(metaAt.lastPage, true)),
    transaction: view.getBigUint64(metaAt.transaction, true),
  };
}
