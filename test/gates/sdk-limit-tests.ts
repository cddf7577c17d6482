/** The SDK's part of the table in `limit-tests.ts`. */
import { type LimitTest, met } from "./limit-test.ts";

const producer = "sdk/src/producer/producer.test.ts";
const inFlight = "sdk/src/producer/in-flight.test.ts";
const consumer = "sdk/src/consumer/consumer.test.ts";
const pace = "sdk/src/consumer/pace.test.ts";
const control = "sdk/src/control/control-plane.test.ts";
const connections = "sdk/src/transport/platformatic/connections.test.ts";

export const sdkLimitTests: Readonly<Record<string, LimitTest>> = {
  batchBytesDefault: met(
    "the batch goes without lingering",
    producer,
    "a batch that is full goes without lingering",
  ),
  requestBytesMax: met(
    "the other batches go in the next request",
    producer,
    "one request holds the batches of many partitions, up to its limit",
  ),
  bufferedBytesDefault: met(
    "`send` and `enqueue` wait",
    producer,
    "enqueue waits while the producer is full",
  ),
  turnBytesMax: met(
    "`enqueue` resolves in the next turn",
    producer,
    "a loop that enqueues leaves the event loop its turns, in which full batches go",
  ),
  waitingSendsMax: met("BUFFER_EXHAUSTED", producer, "one send more than may wait is refused"),
  producesInFlightMax: met(
    "the next batches wait, and grow",
    producer,
    "no more than a few requests to one broker are under way",
  ),
  batchesInFlightMax: met(
    "the partition's next batches wait",
    inFlight,
    "a few full batches of a partition are under way at a time, the first of a producer alone",
  ),
  deliveryTimeoutMsDefault: met(
    "DELIVERY_TIMED_OUT",
    producer,
    "a record that no broker acknowledges fails when its time is up",
  ),
  topicWaitMsMax: met("UNKNOWN_TOPIC_OR_PARTITION", consumer, "a topic that is not there is said"),
  requestTimeoutMsDefault: met(
    "REQUEST_TIMED_OUT",
    connections,
    "a broker that does not answer in time is given up",
  ),
  connectTimeoutMsDefault: met(
    "ConnectionError",
    connections,
    "a broker that does not take the login in time is given up",
  ),
  timerMsMax: met(
    "INVALID_ARGUMENT",
    producer,
    "options that contradict each other, or are no numbers, are refused: %j",
  ),
  groupRequestTimeoutMsMax: met(
    "REQUEST_TIMED_OUT",
    "sdk/src/consumer/ending.test.ts",
    "a request of a group has less time than others",
  ),
  commitRetryMsMax: {
    tuning: "what is not committed by then comes again, as after a crash",
  },
  metadataAgeMsMax: {
    tuning: "how old a leader's name may be; a broker that leads no more says so at once",
  },
  backoffMsMin: { tuning: "the first of the waits between tries; how long they go on is a limit" },
  backoffMsMax: met(
    "no wait is longer",
    "sdk/src/control/asking.test.ts",
    "a control plane that is overloaded is asked again, until the time for that is over",
  ),
  fetchBytesMax: { tuning: "how a broker cuts its answers; a batch that is larger comes whole" },
  partitionFetchBytesMax: { tuning: "the same for one partition" },
  consumerBufferBytesMax: met(
    "nothing more is fetched",
    consumer,
    "a consumer that holds enough fetches no more until some of it is taken",
  ),
  turnMessagesMax: met(
    "the event loop has its turn",
    pace,
    "%s that waits for nothing leaves the event loop its turns",
  ),
  idleRestMs: met(
    "it is not asked again, and the poll of the others waits for nothing",
    pace,
    "a partition without news is asked again only after a rest while others are read",
  ),
  partitionStreakMax: met(
    "another partition has its turn",
    consumer,
    "a partition that never ends does not keep the others waiting",
  ),
  fetchWaitMsMax: { tuning: "how long a long poll lasts; it is repeated without end" },
  handlerConcurrencyMax: met(
    "INVALID_ARGUMENT",
    consumer,
    "a concurrency outside its bounds is refused",
  ),
  controlTimeoutMsDefault: met(
    "REQUEST_TIMED_OUT",
    control,
    "fails in time where nobody answers, and at once by the caller's signal",
  ),
  controlRetryMsMax: met(
    "ControlPlaneError",
    "sdk/src/control/asking.test.ts",
    "a control plane that is overloaded is asked again, until the time for that is over",
  ),
  operationLookMsMin: { tuning: "how soon an operation is looked at again" },
  operationLookGrowth: { tuning: "how much each of these waits is longer than the one before" },
  operationLookMsMax: { tuning: "the longest of these waits" },
};
