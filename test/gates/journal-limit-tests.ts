/** Which test meets which limit of `broker-fargate/src/journal/limits.ts`: see `limit-tests.ts`. */
import { type LimitTest, met } from "./limit-test.ts";

const journal = "broker-fargate/src/journal/objects/object-journal.test.ts";
const trim = "broker-fargate/src/journal/objects/trimmed-objects.test.ts";
const fence = "broker-fargate/src/journal/objects/fence.test.ts";

export const journalLimitTests: Readonly<Record<string, LimitTest>> = {
  objectBytes: met(
    "the object closes",
    journal,
    "closes an object with the entry that makes it large enough, without a wait",
  ),
  lingerMs: met(
    "the object closes",
    journal,
    "lets what comes within the linger time collect, from the last put's beginning on",
  ),
  briskLingerMs: met(
    "the object closes",
    journal,
    "lets little collect for a while after slots came from elsewhere",
  ),
  briskMs: met(
    "objects close after the usual time again",
    journal,
    "lets little collect for a while after slots came from elsewhere",
  ),
  putsInFlightMax: met(
    "further entries collect",
    journal,
    "has a bounded number of objects in flight; what comes then goes into larger ones",
  ),
  journalBytesMax: met(
    "there is no room",
    journal,
    "has room up to its bounds, and again after objects are durable and trimmed",
  ),
  trimDueBytes: met(
    "the trim follows what checkpoints hold",
    "test/cost/cost.test.ts",
    "at 10 MB/s takes no more than ten journal objects a second, and never waits for its journal",
  ),
  pendingBytesMax: met(
    "there is no room",
    journal,
    "has room up to its bounds, and again after objects are durable and trimmed",
  ),
  delayedMs: met(
    "who waits is told",
    journal,
    "waits while the store is away for minutes; nothing is lost and the order is kept",
  ),
  putPauseMs: met(
    "the next round of tries waits",
    journal,
    "waits longer between rounds of tries, with jitter",
  ),
  deletedPerCallMax: met(
    "the rest is another request",
    trim,
    "is recorded first; then objects go upwards, some in a request, one after another",
  ),
  deletePauseMs: met(
    "the next round of tries waits",
    trim,
    "tries a deletion again after a pause when all its tries failed",
  ),
  turnMsMax: met(
    "the rest is told in another turn",
    journal,
    "tells many entries in several turns, in order, and takes others meanwhile",
  ),
  probesInFlightMax: met(
    "further seqs are looked at later",
    fence,
    "reads ahead with a bound, hands over in order, and waits for who takes an object",
  ),
  readsInFlightMax: met(
    "further objects are read later",
    fence,
    "reads ahead with a bound, hands over in order, and waits for who takes an object",
  ),
  objectsAheadMax: met(
    "further objects are read when the first of them has come",
    fence,
    "reads on, up to a bound, while one object takes long",
  ),
  firstReadBytes: met(
    "the rest takes a second read",
    fence,
    "reads an object that is larger than the first read in two",
  ),
  readAheadBytesMax: met(
    "the rests of further objects are read later",
    "broker-fargate/src/journal/objects/read-ahead-room.test.ts",
    "gives room in the order of asking, up to its bytes, and to what is larger than all of it alone",
  ),
};
