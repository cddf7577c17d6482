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
/** Threads for side work: one more than background work takes, so that replies find one. */
export const sideThreadsMax = 2;
/** Calls of side work that wait for a thread; one more is refused. */
export const sideWaitingCallsMax = 4096;
/** Bytes of such calls, the callers' own; one more call is refused. */
export const sideWaitingBytesMax = 268_435_456;
/** What one task may take before its thread is ended. */
export const sideTaskMsMax = 60_000;
/** A thread without work for so long is given back. */
export const sideIdleMsMax = 10_000;
/** Bytes that are copied for a thread in one turn of the event loop: some 1 ms. */
export const sideCopyBytesPerTurnMax = 4_194_304;
/** A thread's heap of V8, without the bytes that tasks work on. */
export const sideHeapMebibytesMax = 256;
/** Objects and folders that a store of files holds open at once; further calls wait. */
export const objectFilesOpenMax = 16;
/** Bytes of an object that are read or written by one system call. */
export const objectPieceBytes = 1_048_576;
/** Bytes of an object that are written before they are synced. */
export const objectSyncBytes: number = 8 * 1_048_576;
/** How often an object is linked to a folder that deletions remove again. */
export const objectLinkTriesMax = 10;
