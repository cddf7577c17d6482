/** The limits of the SDK. Those that an option can change are its defaults. */

/** Of one batch of records, before compression. A record above it makes a batch of its own. */
export const batchBytesDefault: number = 512 * 1024;
/** Of one Produce request to one broker; Kafka's `max.request.size`. */
export const requestBytesMax: number = 1024 * 1024;
/** Of records that a producer holds and no broker has acknowledged; then `send` waits. */
export const bufferedBytesDefault: number = 32 * 1024 * 1024;
/** Of records that `enqueue` takes in one turn of the event loop: what is full can go meanwhile. */
export const turnBytesMax: number = 1024 * 1024;
/** Of sends that wait for room, or for their topic; one more is refused as BUFFER_EXHAUSTED. */
export const waitingSendsMax: number = 100_000;
/** Of Produce requests that one broker has not answered. */
export const producesInFlightMax: number = 5;
/** Of batches of one partition that have no answer: so many of a producer a broker knows again. */
export const batchesInFlightMax: number = 5;
/** How long a record may take from `send` to its acknowledgement. */
export const deliveryTimeoutMsDefault: number = 120_000;
/** How long a topic that no broker knows is asked for: it may have been created a moment ago. */
export const topicWaitMsMax: number = 5_000;
/** How long one request may take. */
export const requestTimeoutMsDefault: number = 30_000;
export const connectTimeoutMsDefault: number = 10_000;
/** Node's timers are given no more: above it they would end at once. */
export const timerMsMax: number = 0x7fffffff;
/** How old metadata may be before a broker is asked again. */
export const metadataAgeMsMax: number = 60_000;
export const backoffMsMin: number = 50;
export const backoffMsMax: number = 1_000;
/** Of one Fetch response. */
export const fetchBytesMax: number = 8 * 1024 * 1024;
export const partitionFetchBytesMax: number = 1024 * 1024;
/** Of messages that a consumer has fetched and nobody has taken; then it fetches no more. */
export const consumerBufferBytesMax: number = 32 * 1024 * 1024;
/** Of messages of one partition that are handed out before another one has its turn. */
export const partitionStreakMax: number = 500;
/** Of messages that one turn of the event loop hands out: fetches and heartbeats need theirs too. */
export const turnMessagesMax: number = 500;
/** How long a heartbeat, a commit or a farewell may take: who stops waits for the last two. */
export const groupRequestTimeoutMsMax: number = 10_000;
/** How long the last commit of what goes to another member, or of who stops, is tried again. */
export const commitRetryMsMax: number = 5_000;
/** How long a Fetch waits for the first byte. */
export const fetchWaitMsMax: number = 500;
/** How long a partition without news is not asked again while others have messages to take. */
export const idleRestMs: number = 50;
/** Of handlers of one partition at a time. */
export const handlerConcurrencyMax: number = 1_000;

if (batchBytesDefault > requestBytesMax) throw new Error("a batch must fit into a request");
if (batchesInFlightMax > producesInFlightMax) throw new Error("each batch needs a request");
if (idleRestMs >= fetchWaitMsMax) throw new Error("resting must be shorter than a long poll");
if (fetchWaitMsMax >= requestTimeoutMsDefault) throw new Error("a long poll must end in time");
/** How long one request to the control plane may take. */
export const controlTimeoutMsDefault: number = 30_000;
/** How long a request to the control plane is tried again. */
export const controlRetryMsMax: number = 20_000;
/** How often an operation that is waited for is looked at: at first, and after a while. */
export const operationLookMsMin: number = 250;
/** From one wait to the next: who waits hears of the end a third later than it came, at most. */
export const operationLookGrowth = 1.3;
export const operationLookMsMax: number = 5_000;
