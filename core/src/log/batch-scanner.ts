import type { DiskFile } from "../ports/disk.ts";
import type { BatchFormat } from "./batch-format.ts";
import { scanHeaderOnlyFromBytes, scanWindowBytes } from "./limits.ts";

const firstWindowBytes = 8192;
const magic = 2;

/**
 * Walks the batches of a segment by their headers.
 *
 * Small batches are read many at a time; after a large one only the next header is, since the bytes
 * between would be read for nothing. A batch's length is checked against what is left of the file
 * before anything rests on it.
 */
export class BatchScanner {
  readonly #file: DiskFile;
  readonly #format: BatchFormat;
  readonly #end: number;
  #window: Uint8Array = new Uint8Array(firstWindowBytes);
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
    range: { readonly from: number; readonly end: number },
  ) {
    this.#file = file;
    this.#format = format;
    this.#end = range.end;
    this.position = range.from;
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
    return "batch";
  }

  /** Brings the header at `position` into the window. */
  #load(previousBytes: number): boolean {
    const header = this.#format.BATCH_HEADER_BYTES;
    this.at = this.position - this.#windowStart;
    if (this.#windowBytes > 0 && this.at + header <= this.#windowBytes) return true;
    if (this.#windowBytes > 0 && this.#window.length < scanWindowBytes) {
      this.#window = new Uint8Array(scanWindowBytes);
      this.view = new DataView(this.#window.buffer);
    }
    const wanted = previousBytes >= scanHeaderOnlyFromBytes ? header : this.#window.length;
    const into = this.#window.subarray(0, Math.min(wanted, this.#end - this.position));
    this.#windowStart = this.position;
    this.#windowBytes = this.#file.read(this.position, into);
    this.at = 0;
    return this.#windowBytes >= header;
  }
}
