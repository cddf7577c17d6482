import type { Reader } from "./reader.ts";
import type { Writer } from "./writer.ts";

/** Arrays of plain values. Each `read` takes a count that the reader has checked. */

export function readInt8s(reader: Reader, count: number): number[] {
  const items: number[] = [];
  for (let left = count; left > 0; left -= 1) items.push(reader.int8());
  return items;
}

export function readInt16s(reader: Reader, count: number): number[] {
  const items: number[] = [];
  for (let left = count; left > 0; left -= 1) items.push(reader.int16());
  return items;
}

export function readInt32s(reader: Reader, count: number): number[] {
  const items: number[] = [];
  for (let left = count; left > 0; left -= 1) items.push(reader.int32());
  return items;
}

export function readInt64s(reader: Reader, count: number): number[] {
  const items: number[] = [];
  for (let left = count; left > 0; left -= 1) items.push(reader.int64());
  return items;
}

export function readStrings(reader: Reader, count: number): string[] {
  const items: string[] = [];
  for (let left = count; left > 0; left -= 1) items.push(reader.string());
  return items;
}

export function readCompactStrings(reader: Reader, count: number): string[] {
  const items: string[] = [];
  for (let left = count; left > 0; left -= 1) items.push(reader.compactString());
  return items;
}

export function writeInt8s(writer: Writer, items: readonly number[]): void {
  for (const item of items) writer.int8(item);
}

export function writeInt16s(writer: Writer, items: readonly number[]): void {
  for (const item of items) writer.int16(item);
}

export function writeInt32s(writer: Writer, items: readonly number[]): void {
  for (const item of items) writer.int32(item);
}

export function writeInt64s(writer: Writer, items: readonly number[]): void {
  for (const item of items) writer.int64(item);
}

export function writeStrings(writer: Writer, items: readonly string[]): void {
  for (const item of items) writer.string(item);
}

export function writeCompactStrings(writer: Writer, items: readonly string[]): void {
  for (const item of items) writer.compactString(item);
}
