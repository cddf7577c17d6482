/**
 * The bytes between a metadata host and its clients: frames of
 *
 *     u32  bytes that follow this number
 *     u32  bytes of the header
 *     the header: JSON in UTF-8
 *     the values: JSON texts in UTF-8, one after another; the header says how long each is
 *
 * Both numbers are big endian. Values stay out of the header so that the host passes them between
 * the socket and the database without a parse.
 */

const lengthBytes = 4;

/** The other side sent what is no frame, or no message; its connection is of no use any more. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

export interface Frame {
  readonly header: unknown;
  /** Views of the received bytes, as many as the header announced. */
  readonly values: Buffer;
  /** Of the whole frame. */
  readonly bytes: number;
}

export function encodeFrame(header: object, values: readonly Uint8Array[] = []): Buffer {
  const text = JSON.stringify(header);
  const headerBytes = Buffer.byteLength(text);
  const valuesBytes = values.reduce((sum, value) => sum + value.length, 0);
  const frame = Buffer.allocUnsafe(2 * lengthBytes + headerBytes + valuesBytes);
  frame.writeUInt32BE(lengthBytes + headerBytes + valuesBytes, 0);
  frame.writeUInt32BE(headerBytes, lengthBytes);
  frame.write(text, 2 * lengthBytes, "utf8");
  let at = 2 * lengthBytes + headerBytes;
  for (const value of values) {
    frame.set(value, at);
    at += value.length;
  }
  return frame;
}

/**
 * Makes frames of a stream's chunks. It holds what it was given and has not handed out: at most one
 * frame and one chunk, if its user takes all frames after each chunk or stops reading.
 */
export class FrameReader {
  /** A frame of more bytes is a FrameError; may change at any time. */
  frameBytesMax: number;
  readonly #chunks: Buffer[] = [];
  #buffered = 0;
  /** Of the frame that comes next, its length included; 0 while it is not known. */
  #frameBytes = 0;

  constructor(frameBytesMax: number) {
    this.frameBytesMax = frameBytesMax;
  }

  get buffered(): number {
    return this.#buffered;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
  }

  /** The next whole frame, if it is there. Throws FrameError. */
  next(): Frame | undefined {
    if (this.#frameBytes === 0) {
      if (this.#buffered < lengthBytes) return undefined;
      const length = this.#joined(lengthBytes).readUInt32BE(0);
      if (length < lengthBytes || length > this.frameBytesMax) {
        throw new FrameError(`a frame of ${length} bytes: at most ${this.frameBytesMax} may be`);
      }
      this.#frameBytes = lengthBytes + length;
    }
    if (this.#buffered < this.#frameBytes) return undefined;
    const frame = this.#take(this.#frameBytes);
    this.#frameBytes = 0;
    return decoded(frame);
  }

  /** A chunk that begins with so many of the buffered bytes. */
  #joined(bytes: number): Buffer {
    const [first] = this.#chunks;
    if (first !== undefined && first.length >= bytes) return first;
    // Once for a frame: its chunks are joined when all of them are there.
    const all = Buffer.concat(this.#chunks);
    this.#chunks.splice(0, this.#chunks.length, all);
    return all;
  }

  #take(bytes: number): Buffer {
    const first = this.#joined(bytes);
    if (first.length === bytes) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(bytes);
    this.#buffered -= bytes;
    return first.subarray(0, bytes);
  }
}

function decoded(frame: Buffer): Frame {
  const headerBytes = frame.readUInt32BE(lengthBytes);
  const end = 2 * lengthBytes + headerBytes;
  if (end > frame.length) throw new FrameError("a header is longer than its frame");
  try {
    const header: unknown = JSON.parse(frame.toString("utf8", 2 * lengthBytes, end));
    return { header, values: frame.subarray(end), bytes: frame.length };
  } catch (cause) {
    throw new FrameError("a header is not JSON", { cause });
  }
}

/** Cuts a frame's values up by the lengths in its header. */
export class ValueCutter {
  readonly #values: Buffer;
  #at = 0;

  constructor(values: Buffer) {
    this.#values = values;
  }

  take(bytes: number): Buffer {
    const end = this.#at + bytes;
    if (end > this.#values.length) throw new FrameError("a frame ends before its values");
    const value = this.#values.subarray(this.#at, end);
    this.#at = end;
    return value;
  }

  end(): void {
    if (this.#at !== this.#values.length) throw new FrameError("a frame goes on after its values");
  }
}
