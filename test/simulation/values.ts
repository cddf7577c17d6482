import type { World } from "./world.ts";

/** What a record says: eight bytes of its value, and padding that follows from it. */
const numberBytes = 8;
const paddingBytesMax = 300;

export function encodeValue(value: number): Uint8Array {
  const bytes = new Uint8Array(numberBytes + paddingOf(value));
  new DataView(bytes.buffer).setFloat64(0, value);
  for (let at = numberBytes; at < bytes.length; at += 1) bytes[at] = (value + at) & 0xff;
  return bytes;
}

/** The value, or undefined when the bytes are not what was sent for it. */
export function decodeValue(bytes: Uint8Array): number | undefined {
  if (bytes.length < numberBytes) return undefined;
  const value = new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0);
  if (!Number.isSafeInteger(value) || value < 0) return undefined;
  const expected = encodeValue(value);
  const isSame =
    expected.length === bytes.length && expected.every((byte, at) => byte === bytes[at]);
  return isSame ? value : undefined;
}

function paddingOf(value: number): number {
  return (value * 7919) % paddingBytesMax;
}

/** Gives every record of a run a number of its own. */
export class Values {
  #next = 1;

  take(count: number): readonly number[] {
    const first = this.#next;
    this.#next += count;
    return Array.from({ length: count }, (_, at) => first + at);
  }
}

export function sizeOfBatch(world: World): number {
  return world.chance(100) ? world.between(5, 12) : world.between(1, 3);
}
