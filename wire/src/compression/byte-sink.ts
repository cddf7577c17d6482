/** Below this many bytes a loop is faster than a call of `set` or `copyWithin`. */
const LOOP_BYTES_MAX = 32;

/**
 * Memory of a fixed size that a codec fills from its start. Nothing here checks bounds: its users
 * show first that what they add fits.
 */
export class ByteSink {
  readonly bytes: Uint8Array;
  /** How many bytes are filled. */
  length = 0;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
  }

  addByte(byte: number): void {
    this.bytes[this.length++] = byte;
  }

  addUint16LittleEndian(value: number): void {
    this.bytes[this.length++] = value;
    this.bytes[this.length++] = value >>> 8;
  }

  addUint32LittleEndian(value: number): void {
    this.addUint16LittleEndian(value);
    this.addUint16LittleEndian(value >>> 16);
  }

  addUint32BigEndian(value: number): void {
    this.bytes[this.length++] = value >>> 24;
    this.bytes[this.length++] = value >>> 16;
    this.bytes[this.length++] = value >>> 8;
    this.bytes[this.length++] = value;
  }

  /** Adds the bytes of `input` from `from` up to `to`. */
  addLiteral(input: Uint8Array, from: number, to: number): void {
    if (to - from > LOOP_BYTES_MAX) {
      this.bytes.set(input.subarray(from, to), this.length);
      this.length += to - from;
      return;
    }
    const output = this.bytes;
    let at = this.length;
    for (let next = from; next < to; next++) output[at++] = input[next] as number;
    this.length = at;
  }

  /** Adds `length` bytes again that begin `distance` bytes back; they may run into themselves. */
  addRepetition(distance: number, length: number): void {
    const output = this.bytes;
    const from = this.length - distance;
    const end = this.length + length;
    let at = this.length;
    this.length = end;
    if (length <= LOOP_BYTES_MAX) {
      for (let next = from; at < end; ) output[at++] = output[next++] as number;
      return;
    }
    // Where they do, each copy is as long as all before it: what is copied stays a whole number of
    // periods from its source.
    while (at < end) {
      const copyEnd = Math.min(at + (at - from), end);
      output.copyWithin(at, from, from + (copyEnd - at));
      at = copyEnd;
    }
  }

  /** What is filled, as memory of its own. */
  take(): Uint8Array {
    return this.length === this.bytes.length ? this.bytes : this.bytes.slice(0, this.length);
  }
}
