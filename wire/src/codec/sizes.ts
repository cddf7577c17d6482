/** What a `records` field takes: a record set as one run of bytes, or as consecutive ones. */
export type RecordBytes = Uint8Array | readonly Uint8Array[];

/** Bytes of all the runs together. */
export function recordBytesLength(records: RecordBytes): number {
  if (records instanceof Uint8Array) return records.length;
  let length = 0;
  for (const run of records) length += run.length;
  return length;
}

/** How many bytes an unsigned varint of at most 32 bits takes. */
export function uvarintBytes(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : value < 0x10000000 ? 4 : 5;
}
