import { summarizeBatch, viewOf } from "@millrace/core";
import type { ColdPart, LeaderEpochStart, TopicId } from "@millrace/core";
import { combineCrc32c, encodeImageTail, ImageIndexBuilder, splitBatches } from "@millrace/wire";
import type { WireFormat } from "../partition/wire-format.ts";

/** Whose batches an image holds, and from where on. */
export interface ImageRange {
  readonly topicId: TopicId;
  readonly partition: number;
  readonly baseOffset: number;
  /** Of batches that are not there any more; absent: none are known. */
  readonly leaderEpochs?: readonly LeaderEpochStart[];
}

/** An image, ready to be put. */
export interface WrittenImage {
  /** Its bytes: the runs of batches as they were given, then what follows them. */
  readonly parts: readonly Uint8Array[];
  /** Of those, the first, whose memory goes back to `ReadBuffers` when they are stored or will not be. */
  readonly runs: readonly Uint8Array[];
  readonly bytes: number;
  /** What it is once it lies in an object. */
  at(object: string, position: number): ColdPart;
}

/**
 * Makes an image of runs of whole batches, which it keeps and does not copy. Whoever gave the runs
 * leaves them alone until the image is stored.
 */
export class ImageWriter {
  readonly #range: ImageRange;
  readonly #wire: WireFormat;
  readonly #index: ImageIndexBuilder;
  readonly #runs: Uint8Array[] = [];
  readonly #epochs: LeaderEpochStart[];
  #crc = 0;

  constructor(range: ImageRange, wire: WireFormat) {
    this.#range = range;
    this.#wire = wire;
    this.#epochs = [...(range.leaderEpochs ?? [])];
    this.#index = new ImageIndexBuilder(range.baseOffset);
  }

  get batchesBytes(): number {
    return this.#index.batchesBytes;
  }

  /** After its last batch; its base offset while it has none. */
  get nextOffset(): number {
    return this.#index.nextOffset;
  }

  /**
   * How many bytes of the run's first batches the image has room for, by its bytes and by the span
   * of its offsets, which gaps may make long. The run ends below `nextOffset`.
   */
  roomFor(run: Uint8Array, nextOffset: number): number {
    const { format } = this.#wire;
    const whole = { bytes: run.length, lastOffset: nextOffset - 1 };
    if (this.#index.hasRoomFor(whole)) return run.length;
    const view = viewOf(run);
    const isTooMuch = (at: number): boolean => {
      const end = at + format.readBatchBytes(view, at);
      return !this.#index.hasRoomFor({ bytes: end, lastOffset: format.readLastOffset(view, at) });
    };
    return splitBatches(run).starts.find(isTooMuch) ?? run.length;
  }

  /** Takes whole batches that follow those before; `crc`: theirs, where it is known. */
  add(run: Uint8Array, crc: number = this.#wire.crcOfBatches(run)): void {
    const { format } = this.#wire;
    const view = viewOf(run);
    for (const at of splitBatches(run).starts) {
      const batch = summarizeBatch(format, view, at);
      this.#index.add({ ...batch, recordCount: format.readRecordCount(view, at) });
      const { baseOffset: startOffset, leaderEpoch: epoch } = batch;
      if (epoch > (this.#epochs.at(-1)?.epoch ?? -1)) this.#epochs.push({ epoch, startOffset });
    }
    this.#crc = combineCrc32c(this.#crc, crc, run.length);
    this.#runs.push(run);
  }

  /**
   * `nextOffset`: where the next image begins, at or above its last batch's end. `producers`: those
   * of all batches below it; empty where they are not known.
   */
  finish(end: {
    readonly nextOffset: number;
    readonly producers: Uint8Array;
    readonly nonce: Uint8Array;
  }): WrittenImage {
    const { baseOffset, partition, topicId } = this.#range;
    const { batchesBytes, maxTimestamp, maxTimestampOffset, recordCount } = this.#index;
    const { nextOffset, nonce, producers } = end;
    const leaderEpochs = this.#epochs;
    const facts = { baseOffset, nextOffset, maxTimestamp, batchesBytes, leaderEpochs };
    const index = this.#index.entries;
    const tail = encodeImageTail(
      {
        ...{ ...facts, topicId, partition, maxTimestampOffset, recordCount, index },
        ...{ batchesCrc: this.#crc, producers, nonce },
      },
      this.#wire.crc32c,
    );
    const bytes = batchesBytes + tail.length;
    return {
      parts: [...this.#runs, tail],
      runs: this.#runs,
      bytes,
      at: (object, position) => ({ object, position, bytes, ...facts }),
    };
  }
}
