/** Bounds of the node adapters. */

/** Files that the disk holds open at once; least recently used ones are closed and reopened. */
export const openFilesMax = 2048;
/** Syncs under way at once: each holds a descriptor, and libuv has few threads for them. */
export const syncsMax = 64;
/** Removed files whose blocks are being freed in the background; further ones are freed at once. */
export const removalsMax = 128;
/** Buffers of one writev call: below the IOV_MAX of every platform. */
export const writevPartsMax = 512;
/** Zeros written at once to reserve room for a file. */
export const zeroFillBytes = 1_048_576;
