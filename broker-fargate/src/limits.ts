/** Bounds of the broker process, with their units in the names. Reaching one is a named outcome. */

import { assert } from "@millrace/core";

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

// Connections (server/). What an operator may change is a setting of Kafka's name; these are not.

/** One buffer of this size takes what every socket reads. */
export const socketReadBytes: number = 256 * kibibyte;
/** A frame's first allocation: nearly every producer's largest request fits, so it never grows. */
export const frameFirstAllocationBytes: number = mebibyte;
/** A larger frame grows by this factor as its bytes arrive: growing copies a third at most. */
export const frameGrowthFactor = 4;
/** Smaller frames are not worth keeping for use again. */
export const pooledFrameBytesMin: number = 16 * kibibyte;
/** Frames' memory that is kept for use again. */
export const pooledFrameBytesMax: number = 32 * mebibyte;
/** The smallest request header: key, version, correlation id. */
export const requestHeaderBytesMin = 8;
/** Requests of one connection that were read and are not answered yet. */
export const requestsInFlightPerConnectionMax = 128;
/** Bytes of such requests of all connections, unless `queued.max.request.bytes` says otherwise. */
export const requestMemoryBytesDefault: number = 256 * mebibyte;
/** Bytes of such requests of one connection at which it reads no further ones. */
export const bytesInFlightPerConnectionMax: number = 16 * mebibyte;
/** Unsent bytes of one connection above which none of its further requests is started. */
export const outputWatermarkBytes: number = mebibyte;
/** Unsent bytes of all connections together above which a request waits for its turn to start. */
export const outputBytesMax: number = 256 * mebibyte;
/** How long a connection with unsent bytes may send none of them while others wait to write. */
export const outputStallMsMax = 30_000;
/** How long one frame may take to arrive while it uses memory above the limit. */
export const overdraftMsMax = 30_000;
/** How long a connection that is being closed may take to send its last bytes. */
export const closeGraceMsMax = 5_000;
/** The longest delay that timers are asked for: 2^31 - 1 ms, some 25 days. */
export const timerMsMax = 0x7fffffff;
/** How long requests in flight may take to end when the listener closes. */
export const shutdownGraceMsMax = 5_000;
/** Log lines about connections; the rest is counted in the next line. */
export const connectionLogLinesPerSecondMax = 20;
/** Connections that the kernel holds for us while the event loop is busy. */
export const listenBacklogConnectionsMax = 511;

assert(
  requestHeaderBytesMin <= frameFirstAllocationBytes && frameGrowthFactor > 1,
  "a frame's allocation starts above a header and grows",
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

/** Partitions that all fetch sessions remember together; a client beyond it gets no session. */
export const fetchSessionPartitionsMax = 1_000_000;
/** A fetch session unused for so long may make room for another, as in Kafka. */
export const fetchSessionEvictAfterMs = 120_000;
/** Partitions in one page of DescribeTopicPartitions: Kafka's max.request.partition.size.limit. */
export const describedPartitionsMax = 2_000;
/** How often the event loop's delay is sampled. */
export const eventLoopSampleMs = 100;

// HTTP (http/).

/** How long a client may take to send the head of an HTTP request. */
export const httpHeadersMsMax = 10_000;
/** Open connections to the HTTP port: probes and scrapers need few. */
export const httpConnectionsMax = 256;
