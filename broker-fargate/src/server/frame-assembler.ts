import { frameFirstAllocationBytes, frameGrowthFactor } from "../limits.ts";
import type { BufferPool } from "../buffer-pool.ts";

const lengthBytes = 4;

/**
 * Cuts a stream of chunks into frames: a length (int32, big-endian) and that many bytes.
 *
 * Each frame is copied into a buffer of its own, of exactly its size, because the chunk belongs to
 * the socket and a produced batch lives on in the log's memory. The length is checked before
 * anything is allocated. A long frame gets 1 MiB at first and four times more whenever that is
 * full: a peer that announces 100 MB and stays silent holds 1 MiB, one that sends them costs copies
 * of at most a third of them, and the usual request is allocated once.
 */
export class FrameAssembler {
  /** How far `feed` came in its chunk. */
  position = 0;
  private readonly frameBytesMax: () => number;
  private readonly take: (bytes: number) => "taken" | "waiting";
  private readonly buffers: BufferPool;
  /** The length, as far as it arrived, and how many of its bytes did. */
  private length = 0;
  private lengthBytesRead = 0;
  private frame: Uint8Array | undefined;
  private filled = 0;
  /** Bytes taken for the frame under way; its final size when it is complete. */
  private taken = 0;

  constructor(deps: {
    /** Of the next frame: it may rise. */
    readonly frameBytesMax: () => number;
    /** Asks for memory. After `"waiting"`, `granted` says that it is there. */
    readonly take: (bytes: number) => "taken" | "waiting";
    readonly buffers: BufferPool;
  }) {
    this.frameBytesMax = deps.frameBytesMax;
    this.take = deps.take;
    this.buffers = deps.buffers;
  }

  /** Bytes of memory that the incomplete frame has taken. */
  get takenBytes(): number {
    return this.taken;
  }

  /** Bytes that came of the incomplete frame, its length left out. */
  get filledBytes(): number {
    return this.filled;
  }

  get isBetweenFrames(): boolean {
    return this.lengthBytesRead === 0;
  }

  granted(bytes: number): void {
    this.taken += bytes;
  }

  /** Reads on from `from`, to the end of one frame, or of the chunk, or as far as memory allows. */
  feed(chunk: Uint8Array, from: number): FeedOutcome {
    this.position = from;
    if (this.lengthBytesRead < lengthBytes && !this.readLength(chunk)) return incomplete;
    if (this.length < 0) return { kind: "negative", length: this.length };
    if (this.length > this.frameBytesMax()) return { kind: "tooLarge", length: this.length };
    // Nothing is allocated for a frame of which no byte came: its length alone costs a peer little.
    if (this.position === chunk.length && this.length > 0) return incomplete;
    return this.readBody(chunk);
  }

  private readLength(chunk: Uint8Array): boolean {
    while (this.lengthBytesRead < lengthBytes && this.position < chunk.length) {
      this.length = (this.length << 8) | (chunk[this.position] as number);
      this.position += 1;
      this.lengthBytesRead += 1;
    }
    return this.lengthBytesRead === lengthBytes;
  }

  private readBody(chunk: Uint8Array): FeedOutcome {
    let frame = this.frame ?? noBytes;
    while (this.filled < this.length && this.position < chunk.length) {
      if (this.filled === frame.length) {
        const grown = this.grow(frame);
        if (grown === undefined) return waitingForMemory;
        frame = grown;
        this.frame = frame;
      }
      const count = Math.min(frame.length - this.filled, chunk.length - this.position);
      const end = this.position + count;
      frame.set(chunk.subarray(this.position, end), this.filled);
      this.filled += count;
      this.position = end;
    }
    return this.filled === this.length ? this.complete(frame) : incomplete;
  }

  private grow(frame: Uint8Array): Uint8Array | undefined {
    const wanted = Math.max(frameFirstAllocationBytes, frame.length * frameGrowthFactor);
    const size = Math.min(this.length, wanted);
    if (this.taken < size) {
      const missing = size - this.taken;
      if (this.take(missing) === "waiting") return undefined;
      this.taken += missing;
    }
    const grown = this.buffers.take(size);
    grown.set(frame);
    this.buffers.giveBack(frame);
    return grown;
  }

  private complete(frame: Uint8Array): FeedOutcome {
    this.frame = undefined;
    this.length = 0;
    this.lengthBytesRead = 0;
    this.filled = 0;
    this.taken = 0;
    return { kind: "frame", frame };
  }

  /** Lets go of a frame that will never be complete; returns the bytes to give back. */
  abandon(): number {
    const taken = this.taken;
    this.frame = undefined;
    this.taken = 0;
    return taken;
  }
}

export type FeedOutcome =
  | { readonly kind: "incomplete" }
  | { readonly kind: "frame"; readonly frame: Uint8Array }
  | { readonly kind: "waitingForMemory" }
  | { readonly kind: "negative"; readonly length: number }
  | { readonly kind: "tooLarge"; readonly length: number };

const noBytes = new Uint8Array(0);
const incomplete: FeedOutcome = { kind: "incomplete" };
const waitingForMemory: FeedOutcome = { kind: "waitingForMemory" };
