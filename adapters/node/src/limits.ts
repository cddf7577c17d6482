/** Bounds of the node adapters. */

/** Of the thread for background work: it gets a quarter of what each other thread gets. */
export const backgroundNiceness = 6;
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
/**
 * Tasks of side work at a time: one more than background work takes, so that replies find a thread. As
 * background work has a thread of its own, there may be one thread more, idle.
 */
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
/** Bytes of an object that are read by one system call. */
export const objectPieceBytes = 1_048_576;
/**
 * Bytes of an object that are written by one system call. Linux takes page cache for a write in
 * blocks as large as the write: larger ones are rarely at hand, and cost several times more.
 */
export const objectWriteBytes: number = 128 * 1024;
/** Bytes of an object that are written before they are synced. */
export const objectSyncBytes: number = 8 * 1_048_576;
/** What is written past the page cache is, and lies at, a multiple of this. */
export const writtenBlockBytes = 4_096;
/** Bytes of an object that are handed to the thread that writes it, at once. */
export const writerPieceBytes = 1_048_576;
/** Such pieces on their way there; further ones wait, in order. */
export const writerPieces = 4;
/** The heap of V8 of that thread. */
export const writerHeapMebibytesMax = 64;
/** Without an object for so long it is given back. */
export const writerIdleMsMax = 10_000;
/** How often an object is linked to a folder that deletions remove again. */
export const objectLinkTriesMax = 10;
/** A Unix socket's path, without the NUL that Linux wants behind it. */
export const socketPathBytesMax = 107;
/** Clients of a metadata host at once; one more is closed. */
export const hostConnectionsMax = 64;
/** A connection's first frame. */
export const hostHelloBytesMax = 1024;
/** A frame of requests, without its length: a transaction of the most bytes fits. */
export const hostRequestFrameBytesMax = 5_000_000;
/** A frame of replies: a refused transaction of the most and largest items fits. */
export const hostReplyFrameBytesMax = 40_000_000;
/** Transactions of one connection that are not answered; at so many the host reads no more. */
export const hostRequestsInFlightMax = 256;
/** Bytes of such transactions; at so many the host reads no more. */
export const hostRequestBytesInFlightMax = 8_388_608;
/** Replies that a connection has not taken; at so many bytes the host reads no more from it. */
export const hostReplyPauseBytes = 4_194_304;
/** Such replies, with those of requests in flight; at more the connection is closed. */
export const hostReplyBytesMax = 67_108_864;
/** A page has at most so many items, whatever the client asked for. */
export const hostPageItemsMax = 10_000;
/** Applied writes whose ids a metadata host remembers: some 3 MB of its database. */
export const hostOutcomesMax = 65_536;
/** How long a host that ends waits for clients to take their replies. */
export const hostCloseMsMax = 1000;
/** Calls of a hosted store that are not answered; one more is refused. */
export const hostedCallsMax = 4096;
/** Bytes of such calls; one more is refused. */
export const hostedCallBytesMax = 33_554_432;
/** Such calls that were sent; further ones wait in the client. */
export const hostedCallsInFlightMax = 128;
/** Bytes that the socket did not take yet, from which on further calls wait in the client. */
export const hostedSendBytesMax = 1_048_576;
/** A call without an answer fails after so long, however many connections were tried. */
export const hostedCallMsMax = 5000;
/** The wait before the second try to connect; each later one is twice as long, with jitter. */
export const hostedBackoffMsFirst = 10;
/** The longest wait between two tries to connect. */
export const hostedBackoffMsMax = 100;
/** How long a process that is started may take to write down its pid. */
export const processStartMsMax = 5_000;
/** How long a broker, or the host of a cluster's metadata, has to end by SIGTERM. */
export const brokerStopMsMax = 120_000;
export const hostStopMsMax = 2_000;
/** How long the process driver waits for another process that changes the same cluster. */
export const clusterLockMsMax = 20_000;
/** How long a broker may take to say whether it is ready. */
export const readinessMsMax = 1_000;
