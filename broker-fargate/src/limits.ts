/** Bounds of the broker process, with their units in the names. Reaching one is a named outcome. */

import { assert } from "@millrace/core";

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

// Connections (server/). What an operator may change is a setting of Kafka's name; these are not.

/** One buffer of this size takes what every socket reads. */
export const socketReadBytes: number = 256 * kibibyte;
/** What one connection is read in a turn of the event loop, if others are to be served soon. */
export const turnReadBytesMax: number = mebibyte;
/** A frame's first allocation: nearly every producer's largest request fits, so it never grows. */
export const frameFirstAllocationBytes: number = mebibyte;
/** A larger frame grows by this factor as its bytes arrive: growing copies a third at most. */
export const frameGrowthFactor = 4;
/** Smaller buffers are not worth keeping for use again. */
export const pooledBytesMin: number = 16 * kibibyte;
/** Memory that is kept for use again. */
export const pooledBytesMax: number = 32 * mebibyte;
/**
 * Memory that threads see as well and that is kept for use again: what two cold segments take, or a
 * checkpoint and the image that did not fit it.
 */
export const pooledSharedBytesMax: number = 48 * mebibyte;
/** Of that, what is allocated at once, and cut into what is asked for. */
export const sharedSlabBytes: number = 4 * mebibyte;
/** The smallest request header: key, version, correlation id. */
export const requestHeaderBytesMin = 8;
/** Strings of 16,000 bytes and more in one request: whoever keys a map by them looks at them all. */
export const requestLongStringsMax = 64;
/** Elements of all arrays of one request together: each costs memory before a handler sees it. */
export const requestElementsMax = 500_000;
/** Requests of one connection that start in one turn of the event loop. */
export const requestsPerTurnMax = 32;
/** Requests of one connection that were read and are not answered yet. */
export const requestsInFlightPerConnectionMax = 128;
/** Bytes of such requests of all connections, unless `queued.max.request.bytes` says otherwise. */
export const requestMemoryBytesDefault: number = 256 * mebibyte;
/** A request up to this size need not wait in line for memory, as long as the reserve lasts. */
export const smallRequestBytesMax: number = 64 * kibibyte;
/** Memory above the limit that only small requests get. */
export const smallRequestReserveBytes: number = 32 * mebibyte;
/** While requests wait for memory, a frame that grew by less than this in one look is given up. */
export const slowFrameBytesMin: number = 64 * kibibyte;
/** How often frames under way are looked at while requests wait for memory. */
export const slowFrameLookMs = 1_000;
/** Bytes of such requests of one connection at which it reads no further ones. */
export const bytesInFlightPerConnectionMax: number = 16 * mebibyte;
/** Unsent bytes of one connection above which none of its further requests is started. */
export const outputWatermarkBytes: number = mebibyte;
/** Unsent bytes of all connections together above which a request waits for its turn to start. */
export const outputBytesMax: number = 256 * mebibyte;
/** As many more for connections that have read all their replies so far. */
export const outputReserveBytes: number = 64 * mebibyte;
/** Connections that start again in one turn once unsent bytes are sent: each may write a large reply. */
export const resumedPerTurnMax = 4;
/** How long a connection with unsent bytes may send none of them while others wait to write. */
export const outputStallMsMax = 10_000;
/** How long one frame may take to arrive while it uses memory above the limit. */
export const overdraftMsMax = 30_000;
/** How long a connection that is being closed may take to send its last bytes. */
export const closeGraceMsMax = 5_000;
/** The longest delay that timers are asked for: 2^31 - 1 ms, some 25 days. */
export const timerMsMax = 0x7fffffff;
/** How long requests in flight may take to end when the listener closes. */
export const shutdownGraceMsMax = 5_000;
/** How long a process that ends waits for a life that begins, whose stores may be away. */
export const lifeBeginMsMax = 5_000;
/** Pause before the folder of a life that is over is removed again, where that failed. */
export const lifeRemovalRetryMs = 5_000;
/** Log lines about connections; the rest is counted in the next line. */
export const connectionLogLinesPerSecondMax = 20;
/** Connections that the kernel holds for us while the event loop is busy. */
export const listenBacklogConnectionsMax = 511;

assert(
  requestHeaderBytesMin <= frameFirstAllocationBytes && frameGrowthFactor > 1,
  "a frame's allocation starts above a header and grows",
);
assert(
  turnReadBytesMax % socketReadBytes === 0,
  "a connection's share of a turn is a number of full reads",
);
assert(
  socketReadBytes <= frameFirstAllocationBytes,
  "one read completes or fills a frame's first allocation, and so grows it once at most",
);
assert(
  outputWatermarkBytes < outputBytesMax &&
    frameFirstAllocationBytes <= bytesInFlightPerConnectionMax,
  "one connection alone does not reach a bound of the process",
);

// Metrics (metrics/).

/** Series of one registry; what is registered past it counts nothing and is named once. */
export const metricSeriesMax = 20_000;

// Fetch and describe (handlers/).

/** Bytes that all fetches read in a turn of the event loop, and one partition's more: some 1 ms. */
export const fetchedBytesPerTurnMax: number = 2 * mebibyte;
/** What a partition takes of those besides its bytes: as much time as reading so many. */
export const fetchedPartitionTurnBytes: number = 2 * kibibyte;
/** Partitions that all fetch sessions remember together; a client beyond it gets no session. */
export const fetchSessionPartitionsMax = 1_000_000;
/** A fetch session unused for so long may make room for another, as in Kafka. */
export const fetchSessionEvictAfterMs = 120_000;
/** Partitions in one page of DescribeTopicPartitions: Kafka's max.request.partition.size.limit. */
export const describedPartitionsMax = 2_000;
/** Partitions that Metadata describes in one turn of the event loop: some 2 ms. */
export const encodedPartitionsPerTurnMax = 4_000;
/** Metadata of a topic of so many partitions, or of all topics with so many, is kept encoded. */
export const encodedPartitionsMin = 500;
/** Bytes of encoded Metadata that are kept: a dozen answers about 100,000 partitions. */
export const encodedMetadataBytesMax: number = 32 * mebibyte;
/** Searches by time, of all requests, in a turn of the event loop: each may open a batch. */
export const offsetSearchesPerTurnMax = 8;
/** Entries of a request that are answered in one turn of the event loop; the rest wait for the next. */
export const entriesPerTurnMax = 100;
/** Topics of one CreateTopics, as in Kafka's controller; with more, none of them is made. */
export const createdTopicsMax = 10_000;
/** How long DeleteRecords waits for the store at least: some clients ask with a timeout of 0. */
export const deleteRecordsWaitMsMin = 1_000;
/** Configs of one resource that a request may alter, as in Kafka's controller. */
export const alteredConfigsMax = 10_000;
/**
 * Bytes of one DescribeConfigs answer, about: 7,000 topics, or 1,200 with synonyms and documentation.
 * Resources past it get an error. An answer is encoded in one turn of the event loop.
 */
export const describedConfigBytesMax: number = 16 * mebibyte;
/** UTF-16 units of an error message, which may quote what a client sent. */
export const errorMessageCharactersMax = 1_000;

// HTTP (http/).

/** How long a member's start waits for every slot to have a leader, and how often it looks. */
export const servedMsMax = 30_000;
export const servedLookMs = 50;
/** How long a client may take to send the head of an HTTP request. */
export const httpHeadersMsMax = 10_000;
/** Open connections to the HTTP port: probes and scrapers need few. */
export const httpConnectionsMax = 256;
/** What standard error does not take, as on a full disk, is kept up to this; then lines are dropped. */
export const keptLogBytesMax = 1_048_576;
