/**
 * Byte positions in a journal object, format 1. All numbers are big endian. One object is one group
 * commit: the appends of many partitions, made durable together. The same bytes stand in a file of
 * a single process's journal and, whole, as one object in an object store.
 *
 *     header   80 bytes   whose object it is, and how long its parts are; its own CRC
 *     body                record batches as clients sent them, offsets and epochs written in place
 *     index    56 bytes   per entry: what lies where in the body
 *     trailer  16 bytes   CRC of the body, CRC of index and trailer, end mark
 *
 * The CRC of the index begins from the header's, so that a header and a footer of two attempts
 * never pass for one object. A reader with ranged reads needs only the footer and the batches it
 * wants: batches carry CRCs of their own, and the index covers what those leave out.
 */
export const HEADER_MAGIC = 0x4d_4c_52_4a;
export const TRAILER_MAGIC = 0x4a_45_4e_44;
export const FORMAT_VERSION = 1;

export const HEADER_BYTES = 80;
export const MAGIC_AT = 0;
export const FORMAT_VERSION_AT = 4;
/** Bytes 6 and 7 are zero in format 1. */
/** The incarnation's counter, 8 bytes, then its 16 random bytes. */
export const INCARNATION_COUNTER_AT = 8;
export const INCARNATION_RANDOM_AT = 16;
export const SEQ_AT = 32;
/** 16 random bytes, fixed with the object's bytes at the first attempt to write it. */
export const NONCE_AT = 40;
export const NONCE_BYTES = 16;
/** When the group was closed: milliseconds since 1970, for reports only. */
export const WALL_MS_AT = 56;
export const BODY_BYTES_AT = 64;
export const ENTRY_COUNT_AT = 68;
/** Bytes 72 to 75 are zero in format 1. */
export const HEADER_CRC_AT = 76;

export const ENTRY_BYTES = 56;
export const ENTRY_TOPIC_ID_AT = 0;
export const ENTRY_PARTITION_AT = 16;
export const ENTRY_SLOT_AT = 20;
export const ENTRY_EPOCH_AT = 24;
export const ENTRY_KIND_AT = 28;
export const ENTRY_BASE_OFFSET_AT = 32;
export const ENTRY_LAST_OFFSET_AT = 40;
/** From the start of the object, so that a ranged read needs no sums. */
export const ENTRY_POSITION_AT = 48;
export const ENTRY_LENGTH_AT = 52;

export const TRAILER_BYTES = 16;
export const TRAILER_ENTRY_COUNT_AT = 0;
export const TRAILER_BODY_CRC_AT = 4;
export const TRAILER_INDEX_CRC_AT = 8;
export const TRAILER_MAGIC_AT = 12;

/**
 * A fence: the object that ends an incarnation's journal in an object store. Its fields stand where
 * a journal object's header has them, up to `WALL_MS_AT`; then comes its own CRC.
 */
export const FENCE_MAGIC = 0x4d_4c_52_46;
export const FENCE_CRC_AT = 64;
export const FENCE_BYTES = 68;

/** A body's most bytes: far above a group commit's size, far below what a uint32 can carry. */
export const BODY_BYTES_MAX: number = 1 << 30;
/** An object's most entries, so that a damaged count allocates nothing. */
export const ENTRIES_MAX = 1_000_000;

/**
 * In a file, objects begin at multiples of this, with zeros between. A disk writes whole pages:
 * were two objects to share one, a power loss while the second is written could tear the first,
 * which was acknowledged before.
 */
export const JOURNAL_ALIGNMENT_BYTES = 4096;
/** Bytes from an object's start that `decodeJournalHeader` needs. */
export const JOURNAL_HEADER_BYTES: number = HEADER_BYTES;
/** Random bytes of an object's nonce. */
export const JOURNAL_NONCE_BYTES: number = NONCE_BYTES;
