/** Limits of clusters, operations and drivers. */
import { type LimitTest, met } from "./limit-test.ts";

type LimitTests = Readonly<Record<string, LimitTest>>;

const records = "control-api/src/clusters/cluster-records.test.ts";
const runner = "control-api/src/operations/runner.test.ts";
const sweep = "control-api/src/operations/sweep.test.ts";
const certificates = "control-api/src/certificates/certificates.test.ts";
const stubborn = "test/integration/stubborn-processes.test.ts";
const ecs = "test/contract/ecs/ecs-driver.test.ts";

export const clusterRecordLimitTests: LimitTests = {
  clustersMax: met(
    "tooManyClusters",
    records,
    "there are at most so many of, and a place is free again after a deletion",
  ),
  brokersMax: met("invalid", records, "has a bounded number of brokers, of sizes that Fargate has"),
  clusterNameCharactersMax: met("invalid", records, "has a name that can be part of a host's"),
  pageItemsMax: met("another page", records, "is listed in pages of a bounded size"),
  tombstoneMs: met(
    "it is forgotten",
    sweep,
    "forgets tombstones and operations when they have had their time",
  ),
  certificateLeftMsMin: met(
    "brokers get a new certificate",
    sweep,
    "gives brokers a new certificate, of the same authority, before the old one ends",
  ),
  certificateMs: met(
    "the certificate ends",
    certificates,
    "certificates are valid for as long as clients and the rules of browsers allow",
  ),
  authorityMs: met(
    "the authority ends",
    certificates,
    "certificates are valid for as long as clients and the rules of browsers allow",
  ),
};

export const operationLimitTests: LimitTests = {
  leaseMs: met(
    "another runner takes over",
    runner,
    "one runner has an operation, and another one leaves it alone until the lease is over",
  ),
  failuresMax: met(
    "the operation fails",
    runner,
    "a call that fails again and again ends the operation, with a problem; a retry goes on",
  ),
  stepBackoffMsFirst: { tuning: "how long the first wait between tries is" },
  stepBackoffMsMax: met(
    "no wait is longer",
    "control-api/src/operations/progress.test.ts",
    "waits longer after each failure, up to a bound, and gives up after the last one",
  ),
  stillMsMax: met(
    "the operation fails",
    runner,
    "what does not come to its end in time ends the operation",
  ),
  lookMsFirst: { tuning: "how soon it is looked again" },
  lookMsMax: met(
    "it is looked at no more seldom",
    runner,
    "what takes long is looked at ever more seldom, down to a bound",
  ),
  storeTriesMax: met(
    "MetadataError",
    "control-api/src/operations/control-store.test.ts",
    "a store that does not answer is asked a bounded number of times",
  ),
  storeBackoffMsFirst: { tuning: "how long the first wait between tries is" },
  deletedObjectsPage: met(
    "the rest goes in another go",
    runner,
    "a deletion removes more objects than one go takes",
  ),
  operationKeptMs: met(
    "it is forgotten",
    sweep,
    "forgets tombstones and operations when they have had their time",
  ),
  renewalRestMs: met(
    "it is tried again",
    sweep,
    "a cluster whose change failed gets a new certificate, too, and is tried once a day for it",
  ),
  faultCharactersMax: met(
    "the rest is cut off",
    records,
    "a problem of an operation keeps a bounded part of what a driver said",
  ),
  sweptAtOnceMax: met(
    "the others are run after them",
    sweep,
    "resumes more operations than it runs at once",
  ),
};

export const processDriverLimitTests: LimitTests = {
  processStartMsMax: { tuning: "needs a machine on which /bin/sh does nothing for seconds" },
  brokerStopMsMax: met(
    "SIGKILL",
    stubborn,
    "a broker that does not end by SIGTERM is ended when it has had its time",
  ),
  hostStopMsMax: met(
    "SIGKILL",
    stubborn,
    "a host of metadata that does not end by SIGTERM is ended",
  ),
  clusterLockMsMax: met(
    "DriverError, retriable",
    "adapters/node/src/process-driver-lock.test.ts",
    "who waits too long for another's change is told so, and may try again",
  ),
  readinessMsMax: met(
    "it is starting",
    stubborn,
    "a broker that does not say whether it is ready is starting, and nobody waits for it",
  ),
};

export const ecsDriverLimitTests: LimitTests = {
  controlConnectMsMax: { tuning: "needs a network that loses packets" },
  controlRequestMsMax: { tuning: "the SDK's own: a request that takes longer is tried again" },
  controlTriesMax: met(
    "DriverError, retriable, perhaps applied",
    "adapters/aws/src/driver-errors.test.ts",
    "what AWS fails at is tried a bounded number of times, and may have had its effect",
  ),
  namedParametersMax: met(
    "the rest is another request",
    "adapters/aws/src/broker-listeners.test.ts",
    "each broker has a port of its own, of more than one request names",
  ),
  describedServicesMax: met(
    "the rest is another request",
    ecs,
    "an operation makes a cluster, changes it and deletes it, without a trace",
  ),
  deletedDefinitionsMax: met(
    "the rest is another request",
    ecs,
    "more revisions than ECS deletes at once leave nothing behind",
  ),
  brokerStopSecondsMax: met(
    "ECS ends the task",
    ecs,
    "a broker is one task that never has a twin, under its own name",
  ),
  brokerStartSecondsMax: { tuning: "ECS's own: failed health checks count from then on" },
};
