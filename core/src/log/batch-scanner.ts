import type { DiskFile } from "../ports/disk.ts";
import type { BatchFormat } from "./batch-format.ts";
import { scanHeaderOnlyFromBytes, scanWindowBytes, verifyWindowBytes } from "./limits.ts";

const firstWindowBytes = 8192;
const magic = 2;

/**
 * Walks the batches of a segment by their headers.
 *
 * For `headers`, small batches are read many at a time; after a large one only the next header is,
 * since the bytes between would be read for nothing. For `batches`, all bytes are read once. A
 * batch's length is checked against what is left of the file before anything rests on it.
 */
export class BatchScanner {
  readonly #file: DiskFile;
  readonly #format: BatchFormat;
  readonly #end: number;
  readonly #windowBytesMax: number;
  readonly #readsHeaders: boolean;
  #window: Uint8Array;
  #windowStart = 0;
  #windowBytes = 0;
  #bytes = 0;
  /** The view of `at`; its memory changes with the next call of `next`. */
  view: DataView;
  /** The current batch's header, in the view. */
  at = 0;
  /** The current batch, in the file. */
  position: number;

  /** Starts before the batch at `range.from`; the file counts as ending at `range.end`. */
  constructor(
    file: DiskFile,
    format: BatchFormat,
    range: { readonly from: number; readonly end: number; readonly read: "headers" | "batches" },
  ) {
    this.#file = file;
    this.#format = format;
    this.#end = range.end;
    this.position = range.from;
    this.#readsHeaders = range.read === "headers";
    this.#windowBytesMax = this.#readsHeaders ? scanWindowBytes : verifyWindowBytes;
    this.#window = new Uint8Array(firstWindowBytes);
    this.view = new DataView(this.#window.buffer);
  }

  /** Bytes of the current batch. */
  get bytes(): number {
    return this.#bytes;
  }

  get baseOffset(): number {
    return this.#format.readBaseOffset(this.view, this.at);
  }

  get lastOffset(): number {
    return this.#format.readLastOffset(this.view, this.at);
  }

  /** The current batch's bytes if the window holds them all; valid until the next call of `next`. */
  get bytesInWindow(): Uint8Array | undefined {
    if (this.at + this.#bytes > this.#windowBytes) return undefined;
    return this.#window.subarray(this.at, this.at + this.#bytes);
  }

  /** `damaged`: what lies at `position` is not a whole batch. */
  next(): "batch" | "end" | "damaged" {
    const format = this.#format;
    this.position += this.#bytes;
    const left = this.#end - this.position;
    const previousBytes = this.#bytes;
    this.#bytes = 0;
    if (left === 0) return "end";
    if (left < format.BATCH_HEADER_BYTES) return "damaged";
    if (!this.#load(previousBytes)) return "damaged";
    const bytes = format.readBatchBytes(this.view, this.at);
    if (bytes < format.BATCH_HEADER_BYTES || bytes > left) return "damaged";
    if (format.readMagic(this.view, this.at) !== magic) return "damaged";
    if (this.lastOffset < this.baseOffset) return "damaged";
    this.#bytes = bytes;
    const outside = this.at + bytes > this.#windowBytes;
    if (!this.#readsHeaders && outside && bytes <= this.#windowBytesMax) this.#fill(bytes);
    return "batch";
  }

  /** Brings the header at `position` into the window. */
  #load(previousBytes: number): boolean {
    const header = this.#format.BATCH_HEADER_BYTES;
    this.at = this.position - this.#windowStart;
    if (this.#windowBytes > 0 && this.at + header <= this.#windowBytes) return true;
    const headerOnly = this.#readsHeaders && previousBytes >= scanHeaderOnlyFromBytes;
    this.#fill(headerOnly ? header : this.#windowBytesMax);
    return this.#windowBytes >= header;
  }

  /** Makes the window begin at `position`. The first one is small: most scans end soon. */
  #fill(wanted: number): void {
    if (this.#windowBytes > 0 && this.#window.length < this.#windowBytesMax) {
      this.#window = new Uint8Array(Math.min(this.#windowBytesMax, this.#end - this.position));
      this.view = new DataView(this.#window.buffer);
    }
    const full = this.#readsHeaders ? wanted : this.#windowBytesMax;
    const bytes = Math.min(full, this.#window.length, this.#end - this.position);
    this.#windowStart = this.position;
    this.#windowBytes = this.#file.read(this.position, this.#window.subarray(0, bytes));
    this.at = 0;
  }
}
