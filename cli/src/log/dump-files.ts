import { resolve } from "node:path";
import type { CodecSet, Crc32c } from "@millrace/wire";
import { dumpSegment } from "./dump-batches.ts";
import { dumpCheckpoint } from "./dump-checkpoint.ts";
import { dumpFence } from "./dump-fence.ts";
import { dumpImage } from "./dump-image.ts";
import { dumpOffsetIndex, dumpTimeIndex } from "./dump-indexes.ts";
import { dumpItems } from "./dump-items.ts";
import { dumpJournal } from "./dump-journal.ts";
import type { DumpOptions } from "./dump-options.ts";
import {
  dumpCleanedOffset,
  dumpCompactedGaps,
  dumpLeaderEpochs,
  dumpSnapshot,
} from "./dump-states.ts";
import type { Dump, StoredEntries } from "./dumper.ts";
import { type FileKind, fileKind } from "./file-kind.ts";
import { Report } from "./report.ts";
import { type FileSource, openSource } from "./source.ts";

export interface DumpDeps {
  readonly crc32c: Crc32c;
  readonly codecs: CodecSet;
  readonly storedEntries: StoredEntries;
  readonly write: (line: string) => void;
}

/** Prints each file in turn; `damaged` when one is, or can't be read. Changes nothing. */
export function dumpFiles(options: DumpOptions, deps: DumpDeps): "sound" | "damaged" {
  const outcomes = options.paths.map((path) => {
    const report = new Report(path, options, deps.write);
    dumpFile(path, report, { options, deps });
    return report.isDamaged;
  });
  return outcomes.includes(true) ? "damaged" : "sound";
}

function dumpFile(
  path: string,
  report: Report,
  { deps, options }: { readonly deps: DumpDeps; readonly options: DumpOptions },
): void {
  const opened: FileSource[] = [];
  const open = (file: string): FileSource => {
    const source = openSource(file);
    opened.push(source);
    return source;
  };
  try {
    const source = open(path);
    const beside = (name: string): FileSource | undefined => openIfThere(open, name);
    const kind = fileKind(resolve(path), source);
    const { codecs, crc32c, storedEntries } = deps;
    const { records } = options;
    report.begin(kind ?? "unknown", source.bytes);
    if (kind === undefined) report.damage(0, "no file that Millrace writes");
    else dumpers[kind]({ path, source, report, records, crc32c, codecs, beside, storedEntries });
  } catch (error) {
    // What the operating system refuses is said of this file; the others are still dumped.
    if (!isFileError(error)) throw error;
    report.damage(0, error.message);
  } finally {
    for (const source of opened) source.close();
  }
  report.end();
}

const dumpers: Readonly<Record<FileKind, (dump: Dump) => void>> = {
  segment: dumpSegment,
  "offset index": dumpOffsetIndex,
  "time index": dumpTimeIndex,
  snapshot: dumpSnapshot,
  "leader epochs": dumpLeaderEpochs,
  "cleaned offset": dumpCleanedOffset,
  "compacted gaps": dumpCompactedGaps,
  journal: dumpJournal,
  fence: dumpFence,
  image: (dump) => dumpImage(dump, dump.source),
  checkpoint: dumpCheckpoint,
  items: dumpItems,
};

function openIfThere(open: (path: string) => FileSource, path: string): FileSource | undefined {
  try {
    return open(path);
  } catch (error) {
    if (isFileError(error) && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function isFileError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "code" in error && "syscall" in error;
}
