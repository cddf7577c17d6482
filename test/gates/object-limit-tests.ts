/** Which test meets which limit of the object stores and of the way to them: see `limit-tests.ts`. */
import { type LimitTest, met } from "./limit-test.ts";

const aws = "adapters/aws/src";
const files = "adapters/node/src/object-files.test.ts";
const access = "broker-fargate/src/tier/object-access.test.ts";

type LimitTests = Readonly<Record<string, LimitTest>>;

/** Of `adapters/node/src/limits.ts`. */
export const objectFileLimitTests: LimitTests = {
  objectFilesOpenMax: met(
    "further calls wait",
    files,
    "are read with a bounded number of descriptors, and leave none open",
  ),
  objectPieceBytes: { tuning: "how much one system call reads" },
  objectWriteBytes: { tuning: "how much one system call writes" },
  objectSyncBytes: met(
    "they are synced before more is written",
    files,
    "that are large are synced bit by bit",
  ),
  writtenBlockBytes: met(
    "what is beyond the file's end is cut off",
    "adapters/node/src/object-writer.test.ts",
    "have the bytes of their parts, and no more",
  ),
  writerPieceBytes: { tuning: "how much a thread is handed at once" },
  writerPieces: met(
    "further ones wait, in order",
    "adapters/node/src/object-writer.test.ts",
    "are many at once, in bounded memory",
  ),
  writerHeapMebibytesMax: met(
    "the thread dies: ObjectError, retriable",
    "adapters/node/src/object-writer.test.ts",
    "fail with a thread that died, and the next ones have another",
  ),
  writerIdleMsMax: met(
    "the thread is ended",
    "adapters/node/src/object-writer.test.ts",
    "leave no thread behind after a while",
  ),
  objectLinkTriesMax: met(
    "ObjectError, retriable",
    files,
    "a folder that is removed under a put, again and again, ends it",
  ),
};

/** Of `broker-fargate/src/tier/limits.ts`. */
export const objectAccessLimitTests: LimitTests = {
  objectTriesMax: met(
    "the last ObjectError",
    access,
    "ends after a bounded number of tries, and says what they may have done",
  ),
  objectBackoffMsFirst: { tuning: "how long the first wait between tries is" },
  objectBackoffMsMax: met(
    "no wait is longer",
    access,
    "waits longer from try to try, with jitter, up to a bound",
  ),
  deletedObjectsMax: met(
    "the rest is another request",
    access,
    "go through all pages of a prefix, and delete in batches",
  ),
  ownerProofBytesMax: met(
    "bytes before them are not compared",
    access,
    "compares the ends of large objects, and their lengths",
  ),
};

export const awsLimitTests: LimitTests = {
  multipartBytesMin: met(
    "the object is put in parts",
    `${aws}/multipart.test.ts`,
    "of the usual bounds goes in one piece below them, and in several from them on",
  ),
  partBytes: met(
    "the rest is another part",
    `${aws}/multipart.test.ts`,
    "of the usual bounds goes in one piece below them, and in several from them on",
  ),
  joinedBytesMax: { tuning: "how large a write has to be" },
  partsInFlightMax: met(
    "further parts wait",
    `${aws}/multipart.test.ts`,
    "has a bounded number of parts under way",
  ),
  partTriesMax: met(
    "ObjectError, and the upload is aborted",
    `${aws}/multipart.test.ts`,
    "is given up, and its upload aborted, when a part fails again and again",
  ),
  partBackoffMsFirst: { tuning: "how long the first wait between tries is" },
  connectionsMax: met(
    "further requests wait",
    `${aws}/object-store.test.ts`,
    "waits for a connection when all are in use",
  ),
  connectMsMax: { tuning: "needs a network that loses packets; requestMsMax ends it as well" },
  requestMsMax: met(
    "ObjectError, retriable",
    `${aws}/object-store.test.ts`,
    "is retriable when the body is cut, or ends nowhere",
  ),
  rulesMsMax: met(
    "the store is opened, and the rules are not known",
    `${aws}/lifecycle-rules.test.ts`,
    "is opened where the server does not say in time what rules there are",
  ),
  uploadMsMax: met(
    "ObjectError, retriable, perhaps applied",
    `${aws}/object-store.test.ts`,
    "tells of %s, and is tried once",
  ),
  deletedKeysMax: met(
    "the rest is another request",
    `${aws}/object-store.test.ts`,
    "is cut into batches that S3 takes",
  ),
  dynamoDbConnectMsMax: {
    tuning: "needs a network that loses packets; dynamoDbRequestMsMax ends it as well",
  },
  dynamoDbRequestMsMax: met(
    "MetadataError, retriable",
    `${aws}/metadata-store.test.ts`,
    "is tried once, for a bounded time",
  ),
  writeTriesMax: met(
    "the last MetadataError",
    `${aws}/metadata-store.test.ts`,
    "is tried a bounded number of times, with waits of full jitter that grow up to a bound",
  ),
  writeMsMax: met(
    "the last MetadataError",
    `${aws}/metadata-store.test.ts`,
    "is not begun again when it has taken too long",
  ),
  writeBackoffMsFirst: met(
    "the first wait is not longer",
    `${aws}/metadata-store.test.ts`,
    "is tried a bounded number of times, with waits of full jitter that grow up to a bound",
  ),
  writeBackoffMsMax: met(
    "no wait is longer",
    `${aws}/metadata-store.test.ts`,
    "is tried a bounded number of times, with waits of full jitter that grow up to a bound",
  ),
  knownItemsMax: met(
    "those that were learnt first are forgotten, and written by transactions",
    `${aws}/metadata-known.test.ts`,
    "forgets what was learnt first when it knows enough",
  ),
  tableMsMax: met(
    "MetadataError",
    `${aws}/metadata-table.test.ts`,
    "is given up when it does not come",
  ),
  tablePollMs: { tuning: "how often a new table is asked for" },
};
