import type { NewRecord, ReadRecord } from "@millrace/wire";
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

/** What a record is to be, and what the history knows of it. */
export interface PlannedRecord {
  readonly value: number;
  readonly key?: number;
  readonly isTombstone?: true;
}

/** Some get most of the records, and all together are more than one round's map takes. */
const hotKeys = 6;
const allKeys = 40;
const hotPerThousand = 600;
const tombstonesPerThousand = 200;
/** A tombstone has no value to say its number: a header does. */
const numberHeader = "n";

export function bytesOf(planned: PlannedRecord, timestamp: number): NewRecord {
  const { isTombstone, key: number, value } = planned;
  const key = number === undefined ? null : encodeKey(number);
  if (isTombstone !== true) return { key, value: encodeValue(value), timestamp };
  const headers = [{ key: numberHeader, value: encodeValue(value).subarray(0, numberBytes) }];
  return { key, value: null, headers, timestamp };
}

/** Undefined when the bytes are not what was sent. */
export function readPlanned(record: ReadRecord): PlannedRecord | undefined {
  const number = record.key === null ? undefined : decodeKey(record.key);
  if (record.key !== null && number === undefined) return undefined;
  const key = number === undefined ? {} : { key: number };
  if (record.value !== null) {
    const value = decodeValue(record.value);
    return value === undefined ? undefined : { value, ...key };
  }
  const [header] = record.headers;
  const bytes = header?.key === numberHeader ? header.value : null;
  if (bytes?.length !== numberBytes) return undefined;
  const value = new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0);
  return { value, ...key, isTombstone: true };
}

function encodeKey(key: number): Uint8Array {
  return new TextEncoder().encode(`key-${key}`);
}

function decodeKey(bytes: Uint8Array): number | undefined {
  const found = /^key-(\d+)$/u.exec(new TextDecoder().decode(bytes))?.[1];
  return found === undefined ? undefined : Number(found);
}

/** Gives every record of a run a number of its own. */
export class Values {
  #next = 1;

  take(count: number): readonly number[] {
    const first = this.#next;
    this.#next += count;
    return Array.from({ length: count }, (_, at) => first + at);
  }

  /** Records for one batch; keys, of which each comes again and again, are for compacted topics. */
  plan(world: World, keys: "keyed" | "none"): readonly PlannedRecord[] {
    return this.take(sizeOfBatch(world)).map((value) => {
      if (keys === "none") return { value };
      const key = world.below(world.chance(hotPerThousand) ? hotKeys : allKeys);
      return world.chance(tombstonesPerThousand)
        ? { value, key, isTombstone: true }
        : { value, key };
    });
  }
}

function sizeOfBatch(world: World): number {
  return world.chance(100) ? world.between(5, 12) : world.between(1, 3);
}
