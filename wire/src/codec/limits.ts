/** Bounds that every decoder keeps, whatever a frame claims. A length past one of them is a DecodeError. */

/** Elements of one array. Kafka's own largest answers stay far below it. */
export const arrayElementsMax = 1_000_000;

/** Tagged fields of one struct, known and unknown ones together. */
export const taggedFieldsMax = 10_000;

/** Encoded bytes of one string: the non-flexible form cannot say more, and Kafka holds both to it. */
export const stringBytesMax = 32_767;

/**
 * From so many bytes on a string may be hashed by its length alone (V8: 16,383 characters), as a key
 * that is slow to find.
 */
export const longStringBytesMin = 16_000;

/** Bytes that a frame's 4-byte length can announce. */
export const frameBytesMax = 0x7fffffff;

/** A record set below this is copied into the frame: a piece of its own would cost more to send. */
export const attachBytesMin = 1024;

/** First size of a writer's chunk. Frames that fit share one. */
export const writerChunkBytes = 16_384;
