import { assert } from "../assert.ts";
import type { DiskFile } from "../ports/disk.ts";
import { summarizeBatch, viewOf } from "./batch-format.ts";
import { fileName } from "./file-names.ts";
import { cleanedSyncBytes } from "./limits.ts";
import type { LogConfig } from "./log-config.ts";
import type { LogFiles } from "./log-files.ts";
import { besideName, type ReplacedRange } from "./replacement.ts";
import { SegmentIndex } from "./segment-index.ts";
import { noteBatch, tailAt } from "./segment-tail.ts";

/**
 * A segment that is written beside the log, with its index, to take the place of those that begin in
 * its range. Nobody reads it before it does.
 */
export class CleanedSegment {
  readonly range: ReplacedRange;
  readonly #files: LogFiles;
  readonly #config: LogConfig;
  readonly #file: DiskFile;
  readonly #index: SegmentIndex;
  readonly #tail: ReturnType<typeof tailAt>;
  #unsyncedBytes = 0;
  #isOpen = true;

  constructor(files: LogFiles, range: ReplacedRange, config: LogConfig) {
    this.range = range;
    this.#files = files;
    this.#config = config;
    const file = files.disk.open(this.#path("cleaned"), { create: "ifAbsent" });
    assert(file !== undefined, "ifAbsent opens");
    // One of an earlier try may lie there.
    file.resize(0);
    this.#file = file;
    this.#index = SegmentIndex.empty({
      ...files,
      baseOffset: range.baseOffset,
      names: {
        index: besideName(range, "index.cleaned"),
        timeindex: besideName(range, "timeindex.cleaned"),
      },
    });
    this.#tail = tailAt("none", range.baseOffset);
  }

  get sizeBytes(): number {
    return this.#tail.sizeBytes;
  }

  /** Where its last batch ends. */
  get nextOffset(): number {
    return this.#tail.nextOffset;
  }

  /** Whether so much was written that a sync would be in place, lest the last one takes long. */
  get wantsSync(): boolean {
    return this.#unsyncedBytes >= cleanedSyncBytes;
  }

  /** Appends whole batches. After a DiskError the segment can only be discarded. */
  append(parts: readonly Uint8Array[]): void {
    this.#index.flushIfDue();
    this.#file.write(this.#tail.sizeBytes, parts);
    const { format } = this.#files;
    for (const part of parts) {
      const view = viewOf(part);
      for (let at = 0; at < part.length; ) {
        const batch = summarizeBatch(format, view, at);
        assert(batch.baseOffset >= this.#tail.nextOffset, "cleaned batches come in order");
        noteBatch(this.#tail, batch, this.#index, this.#config);
        at += batch.bytes;
      }
      this.#unsyncedBytes += part.length;
    }
    assert(this.#tail.nextOffset <= this.range.endOffset, "a cleaned segment stays in its range");
  }

  /** Makes durable what was appended. */
  async sync(): Promise<void> {
    this.#unsyncedBytes = 0;
    await this.#file.sync();
  }

  /** The last bytes of the index; nothing is appended any more. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    try {
      this.#index.flush();
    } finally {
      this.#index.close();
      this.#file.close();
    }
  }

  /** Removes what was written, unless it has taken its place. */
  discard(): void {
    if (this.#isOpen) {
      this.#isOpen = false;
      this.#index.close();
      this.#file.close();
    }
    const { disk } = this.#files;
    for (const kind of ["cleaned", "index.cleaned", "timeindex.cleaned"] as const) {
      disk.remove(this.#path(kind));
    }
  }

  /** Step 2 of a replacement. */
  becomeSwap(): string {
    const path = this.#path("swap");
    this.#files.disk.rename(this.#path("cleaned"), path);
    return path;
  }

  /** Once the old indexes are gone. */
  placeIndex(): void {
    const { disk, directory } = this.#files;
    for (const kind of ["index", "timeindex"] as const) {
      const to = fileName(this.range.baseOffset, kind);
      disk.rename(this.#path(`${kind}.cleaned`), `${directory}/${to}`);
    }
  }

  #path(kind: Parameters<typeof besideName>[1]): string {
    return `${this.#files.directory}/${besideName(this.range, kind)}`;
  }
}
