/** The log's bounds. */

/** A relative offset or position in an index entry, and the bytes of a segment, stay below it. */
export const segmentSpanMax = 0x7fffffff;
/** Sequential readers of one partition whose place is remembered. */
export const readCursorsMax = 16;
/** Index entries kept in memory before they are written together. */
export const indexEntriesPendingMax = 256;
/** Bytes read at once when headers are scanned. */
export const scanWindowBytes = 65_536;
/** Bytes read at once when whole batches are verified. */
export const verifyWindowBytes = 1_048_576;
/** From this batch size on a scan of headers reads header by header instead of all bytes. */
export const scanHeaderOnlyFromBytes = 8192;
/** Bytes of a cleaned segment that are written before they are synced, lest its last sync be long. */
export const cleanedSyncBytes = 33_554_432;
/** Producer snapshots kept of one partition beside those at which a segment begins: the newest. */
export const producerSnapshotsMax = 2;
/** Idempotent producers remembered by one partition; past it the least recent one is forgotten. */
export const producersMax = 100_000;

/**
 * Bytes that a compressed batch may have once it is open: this many times `max.message.bytes`, but
 * at least the floor and at most the ceiling, which is what the log's readers open at most.
 */
export const recordExpansionMax = 16;
export const decompressedBytesFloor = 16_777_216;
export const decompressedBytesCeiling = 67_108_864;

/** Records that a refused batch names one by one: a reply must not grow with a bad batch. */
export const recordErrorsMax = 100;
