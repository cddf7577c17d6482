/** Which test meets which limit of `broker-fargate/src/limits.ts`: see `limit-tests.ts`. */
import { type LimitTest, met } from "./limit-test.ts";

const server = "broker-fargate/src/server";
const handlers = "broker-fargate/src/handlers";

export const brokerLimitTests: Readonly<Record<string, LimitTest>> = {
  socketReadBytes: { tuning: "how much is read at once" },
  turnReadBytesMax: met(
    "the rest is read in another turn",
    `${server}/socket-link.test.ts`,
    "reads a peer that sends without end in shares, with a turn for others in between",
  ),
  frameFirstAllocationBytes: met(
    "a frame grows as it arrives",
    `${server}/limits.test.ts`,
    "allocates for what was received, not for what was announced",
  ),
  frameGrowthFactor: met(
    "a frame grows as it arrives",
    `${server}/limits.test.ts`,
    "allocates for what was received, not for what was announced",
  ),
  requestHeaderBytesMin: met(
    "closed: undecodable",
    `${server}/shared-limits.test.ts`,
    "closes the connection of a frame that is smaller than any header",
  ),
  requestElementsMax: met(
    "closed: undecodable",
    `${server}/shared-limits.test.ts`,
    "decodes no request whose arrays have more elements than one may have, all together",
  ),
  requestLongStringsMax: met(
    "closed: undecodable",
    `${server}/shared-limits.test.ts`,
    "decodes no request of many names that are as slow to tell apart as names can be",
  ),
  requestsPerTurnMax: met(
    "the rest starts in another turn",
    `${server}/connection.test.ts`,
    "starts some requests of a pipeline in each turn, and those of others between them",
  ),
  requestsInFlightPerConnectionMax: met(
    "the connection is not read",
    `${server}/connection.test.ts`,
    "reads no more than a bounded number of requests ahead",
  ),
  requestMemoryBytesDefault: met(
    "the limit where no setting gives one",
    `${server}/shared-limits.test.ts`,
    "has a bound of its own for requests' memory where queued.max.request.bytes sets none",
  ),
  smallRequestBytesMax: met(
    "larger ones wait in line",
    `${server}/shared-limits.test.ts`,
    "serves small requests while half frames hold all memory, up to a reserve",
  ),
  smallRequestReserveBytes: met(
    "small ones wait in line, too",
    `${server}/shared-limits.test.ts`,
    "serves small requests while half frames hold all memory, up to a reserve",
  ),
  slowFrameBytesMin: met(
    "closed: slowFrame",
    `${server}/request-memory.test.ts`,
    "gives up frames that hardly grow, but only while somebody waits",
  ),
  slowFrameLookMs: met(
    "closed: slowFrame",
    `${server}/request-memory.test.ts`,
    "gives up frames that hardly grow, but only while somebody waits",
  ),
  bytesInFlightPerConnectionMax: met(
    "the connection is not read",
    `${server}/limits.test.ts`,
    "bounds the bytes of requests in flight on one connection",
  ),
  outputWatermarkBytes: met(
    "no further request starts",
    `${server}/limits.test.ts`,
    "bounds what a client that does not read costs, to the watermark and one reply",
  ),
  outputBytesMax: met(
    "requests wait",
    `${server}/limits.test.ts`,
    "starts no request while slow readers hold too much, and closes those that stall",
  ),
  outputReserveBytes: met(
    "requests wait, also of who reads all replies",
    `${server}/shared-limits.test.ts`,
    "leaves a reserve of unsent bytes to who read all replies so far, and no more",
  ),
  resumedPerTurnMax: met(
    "the rest starts in another turn",
    `${server}/shared-limits.test.ts`,
    "starts few of those that waited in one turn, since each may write a large reply",
  ),
  outputStallMsMax: met(
    "closed: slowReader",
    `${server}/limits.test.ts`,
    "starts no request while slow readers hold too much, and closes those that stall",
  ),
  overdraftMsMax: met(
    "closed: slowFrame",
    `${server}/request-memory.test.ts`,
    "evicts who is above the limit for too long with half a frame",
  ),
  closeGraceMsMax: met(
    "closed with replies unsent",
    `${server}/limits.test.ts`,
    "gives a closing peer time for the last replies as long as it takes some",
  ),
  timerMsMax: met(
    "no timer: never",
    `${server}/shared-limits.test.ts`,
    "sets no timer for an idle time that is longer than timers can be",
  ),
  shutdownGraceMsMax: met(
    "closed: shutdown",
    `${server}/shared-limits.test.ts`,
    "cuts what has not ended when the listener's grace is over",
  ),
  lifeBeginMsMax: met(
    "the process ends without it",
    "broker-fargate/src/lives.test.ts",
    "whose next one can't begin, because a store is away, doesn't keep the process from ending",
  ),
  lifeRemovalRetryMs: met(
    "it is removed then",
    "broker-fargate/src/life-disks.test.ts",
    "tries again a little later what could not be removed, and says so",
  ),
  connectionLogLinesPerSecondMax: met(
    "counted in the next line",
    `${server}/limits.test.ts`,
    "logs some lines a second about bad clients, and how many it left out",
  ),
  keptLogBytesMax: met(
    "further lines are dropped",
    "broker-fargate/src/standard-streams.test.ts",
    "a log that nobody reads is kept up to a bound: further lines are dropped until there is room",
  ),
  listenBacklogConnectionsMax: { tuning: "what the kernel holds; it refuses on its own" },
  metricSeriesMax: met(
    "counts nothing, and is named once",
    "broker-fargate/src/metrics/registry.test.ts",
    "bounds the number of series, and says how many it did not make",
  ),
  pooledBytesMin: met(
    "left to the garbage collector",
    "broker-fargate/src/buffer-pool.test.ts",
    "of small frames is left to the garbage collector",
  ),
  pooledBytesMax: met(
    "left to the garbage collector",
    "broker-fargate/src/buffer-pool.test.ts",
    "that is kept for use again is bounded",
  ),
  pooledSharedBytesMax: met(
    "left to the garbage collector",
    "broker-fargate/src/shared-slabs.test.ts",
    "is kept for use again up to a bound",
  ),
  sharedSlabBytes: met(
    "a larger view has memory of its own",
    "broker-fargate/src/shared-slabs.test.ts",
    "of more than a slab is its own, and left to the garbage collector",
  ),
  fetchedBytesPerTurnMax: met(
    "the rest is read in another turn",
    `${handlers}/fetch-handler.test.ts`,
    "reads much in several turns, and counts what is appended between them once",
  ),
  fetchedPartitionTurnBytes: met(
    "the rest is looked at in another turn",
    `${handlers}/fetch-handler.test.ts`,
    "looks at many partitions in several turns",
  ),
  encodedPartitionsPerTurnMax: met(
    "the rest is encoded in another turn",
    `${handlers}/described-topics.test.ts`,
    "take no more than their share of a turn, the first time, and none after that",
  ),
  encodedPartitionsMin: { tuning: "from which size on an answer is worth keeping" },
  encodedMetadataBytesMax: met(
    "the least recently used goes",
    `${handlers}/described-topics.test.ts`,
    "are kept up to a limit of bytes, the last used ones",
  ),
  fetchSessionPartitionsMax: met(
    "no session",
    "broker-fargate/src/fetch/session.test.ts",
    "all sessions together remember a bounded number of partitions",
  ),
  fetchSessionEvictAfterMs: met(
    "the session gives way",
    "broker-fargate/src/fetch/session.test.ts",
    "when full, a session gives way only after it was unused for long enough",
  ),
  describedPartitionsMax: met(
    "a cursor to the next page",
    `${handlers}/request-limits.test.ts`,
    "shows a page of a bounded number of partitions, however many are asked for",
  ),
  offsetSearchesPerTurnMax: met(
    "the rest is searched in another turn",
    `${handlers}/partition-handlers.test.ts`,
    "searches few partitions by time in each turn, and answers all in their order",
  ),
  entriesPerTurnMax: met(
    "the rest in another turn",
    `${handlers}/request-limits.test.ts`,
    "are answered in their order, a bounded number of them in each turn",
  ),
  createdTopicsMax: met(
    "POLICY_VIOLATION",
    `${handlers}/request-limits.test.ts`,
    "creates no topic where it names more than one may create",
  ),
  deleteRecordsWaitMsMin: met(
    "REQUEST_TIMED_OUT",
    `${handlers}/delete-records.test.ts`,
    "times out where the store does not answer, and never sooner than the least wait",
  ),
  alteredConfigsMax: met(
    "POLICY_VIOLATION",
    `${handlers}/request-limits.test.ts`,
    "alters no more configs of a resource than a bounded number",
  ),
  describedConfigBytesMax: met(
    "INVALID_REQUEST",
    `${handlers}/request-limits.test.ts`,
    "is told of no more configs than a bounded number of bytes",
  ),
  errorMessageCharactersMax: met(
    "cut",
    `${handlers}/request-limits.test.ts`,
    "quote no more of what a client sent than fits",
  ),
  servedMsMax: met(
    "it is ready",
    "broker-fargate/src/http/served.test.ts",
    "nobody waits for ever for a slot that nobody can serve, nor for a life that is over",
  ),
  servedLookMs: { tuning: "how soon it is looked again" },
  httpHeadersMsMax: met(
    "closed",
    "test/hardness/attacks/http.ts",
    "300 clients send half a head to the HTTP port",
  ),
  httpConnectionsMax: met(
    "closed at once",
    "broker-fargate/src/http/serve.test.ts",
    "holds a bounded number of connections, and closes one more at once",
  ),
};
