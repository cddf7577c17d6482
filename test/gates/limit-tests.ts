/**
 * Which test meets which limit. Every name that a `limits.ts` exports has a line here: either the
 * test that reaches it and sees its outcome, or why there is nothing to reach. `limits-covered.ts`
 * reads this table and the tests.
 */

import { brokerLimitTests } from "./broker-limit-tests.ts";
import { type LimitTest, met } from "./limit-test.ts";
import {
  awsLimitTests,
  objectAccessLimitTests,
  objectFileLimitTests,
} from "./object-limit-tests.ts";
import { metadataHostLimitTests } from "./metadata-host-limit-tests.ts";
import { clusterLimitTests } from "./cluster-limit-tests.ts";
import { compactionLimitTests, keyLimitTests } from "./compaction-limit-tests.ts";
import { controlLimitTests } from "./control-limit-tests.ts";
import { functionsLimitTests } from "./functions-limit-tests.ts";
import { journalLimitTests } from "./journal-limit-tests.ts";
import { logLimitTests } from "./log-limit-tests.ts";
import { memberLimitTests } from "./member-limit-tests.ts";
import {
  clusterRecordLimitTests,
  ecsDriverLimitTests,
  operationLimitTests,
  processDriverLimitTests,
} from "./provisioner-limit-tests.ts";
import { retentionLimitTests } from "./retention-limit-tests.ts";
import { sdkLimitTests } from "./sdk-limit-tests.ts";
import { credentialLimitTests, saslLimitTests } from "./security-limit-tests.ts";
import { takeoverLimitTests } from "./takeover-limit-tests.ts";
import { tierLimitTests } from "./tier-limit-tests.ts";

const partition = "broker-fargate/src/partition";
const group = "broker-fargate/src/group";

/** By the path of the file that declares them. */
export const limitTests: Readonly<Record<string, Readonly<Record<string, LimitTest>>>> = {
  "sdk/src/limits.ts": sdkLimitTests,
  "functions/src/limits.ts": functionsLimitTests,
  "control-api/src/limits.ts": controlLimitTests,
  "control-api/src/clusters/limits.ts": clusterRecordLimitTests,
  "control-api/src/operations/limits.ts": operationLimitTests,
  "core/src/security/limits.ts": credentialLimitTests,
  "broker-fargate/src/server/sasl/limits.ts": saslLimitTests,
  "wire/src/codec/limits.ts": {
    arrayElementsMax: met(
      "DecodeError: the connection closes",
      "wire/src/codec/reader.test.ts",
      "refuses more elements than the limit even where their bytes are there",
    ),
    taggedFieldsMax: met(
      "DecodeError: the connection closes",
      "wire/src/codec/reader.test.ts",
      "skips tagged fields that it does not know, and refuses too many or too large ones",
    ),
    stringBytesMax: met(
      "DecodeError: the connection closes",
      "wire/src/codec/reader.test.ts",
      "refuses a string of more bytes than the limit even where its bytes are there",
    ),
    longStringBytesMin: met(
      "counted as a long string",
      "wire/src/codec/reader.test.ts",
      "refuses more long strings than there may be, and counts no others",
    ),
    frameBytesMax: met(
      "EncodeError",
      "wire/src/codec/writer.test.ts",
      "refuses a frame of more bytes than its length can announce",
    ),
    attachBytesMin: met(
      "copied below it, attached from it on",
      "wire/src/codec/writer.test.ts",
      "attaches large record sets without a copy, and copies small ones",
    ),
    writerChunkBytes: { tuning: "the first size of a buffer that grows" },
  },
  "wire/src/record/limits.ts": {
    decompressedBytesMax: met(
      "the fault too-large",
      "wire/src/record/records.test.ts",
      "names a codec that is missing, and a compressed body over the limit",
    ),
    recordErrorsMax: met(
      "the first hundred are named",
      "wire/src/record/validate-records.test.ts",
      "names a bounded number of records, however many are bad",
    ),
  },
  "core/src/cluster/limits.ts": clusterLimitTests,
  "core/src/log/limits.ts": logLimitTests,
  "adapters/node/src/limits.ts": {
    openFilesMax: met(
      "the least recently used file is closed, and opened again when needed",
      "adapters/node/src/disk.test.ts",
      "holds few descriptors however many files are in use",
    ),
    syncsMax: met(
      "further ones wait their turn",
      "adapters/node/src/disk.test.ts",
      "syncs more files at once than may be under way, all of them",
    ),
    removalsMax: met(
      "the next one is freed within the call",
      "adapters/node/src/disk.test.ts",
      "removes more large files at once than wait for their blocks to be freed",
    ),
    writevPartsMax: met(
      "several calls",
      "adapters/node/src/disk.test.ts",
      "writes more parts than one call of the system takes",
    ),
    zeroFillBytes: { tuning: "how many zeros are written at once" },
    ...objectFileLimitTests,
    ...metadataHostLimitTests,
    ...processDriverLimitTests,
    sideThreadsMax: met(
      "further calls wait",
      "adapters/node/src/worker-pool.test.ts",
      "are there when there is work for them, and not before",
    ),
    sideWaitingCallsMax: met(
      "busy: REQUEST_TIMED_OUT",
      "test/contract/side-work-contract.ts",
      "refuses more calls and bytes than may wait, and takes others again later",
    ),
    sideWaitingBytesMax: met(
      "busy: REQUEST_TIMED_OUT",
      "test/contract/side-work-contract.ts",
      "refuses more calls and bytes than may wait, and takes others again later",
    ),
    sideTaskMsMax: met(
      "the thread is ended: KAFKA_STORAGE_ERROR",
      "adapters/node/src/worker-pool.test.ts",
      "because its task takes too long lets others go on",
    ),
    backgroundNiceness: { tuning: "how processors are shared, not how much there may be" },
    sideIdleMsMax: met(
      "the thread is ended",
      "adapters/node/src/worker-pool.test.ts",
      "are given back when they had nothing to do, and started again",
    ),
    sideHeapMebibytesMax: met(
      "the thread dies: KAFKA_STORAGE_ERROR",
      "adapters/node/src/worker-pool.test.ts",
      "in %s takes its call with it, and no other one",
    ),
    sideCopyBytesPerTurnMax: { tuning: "how copying is cut up into turns of the event loop" },
  },
  "adapters/aws/src/limits.ts": { ...awsLimitTests, ...ecsDriverLimitTests },
  "broker-fargate/src/tier/limits.ts": { ...objectAccessLimitTests, ...tierLimitTests },
  "broker-fargate/src/group/limits.ts": {
    offsetLingerMs: met(
      "commits within it are one write",
      `${group}/coordinator.test.ts`,
      "of one block within ten milliseconds are one write, the first at once",
    ),
    batchBytesMax: { tuning: "no part of a commit and no group reaches it: asserted beside it" },
    batchItemsMax: met(
      "the rest is another write",
      `${group}/coordinator.test.ts`,
      "larger than a transaction are split",
    ),
    partBlocksMax: met(
      "the rest is another part",
      `${group}/coordinator.test.ts`,
      "larger than a transaction are split",
    ),
    partBytesMax: met(
      "the rest is another part",
      `${group}/limits.test.ts`,
      "offsets with so much metadata that one transaction can't have them are written in several",
    ),
    groupIdBytesMax: met(
      "INVALID_GROUP_ID",
      `${group}/limits.test.ts`,
      "a group's id that takes much more as JSON than as text is refused, and harms nobody",
    ),
    groupHeadBytesMax: met(
      "groupTooLarge: UNKNOWN_SERVER_ERROR",
      `${group}/limits.test.ts`,
      "names that take much more as JSON than as text are refused, and harm nobody: %s",
    ),
    memberBytesMax: met(
      "groupTooLarge: UNKNOWN_SERVER_ERROR",
      `${group}/limits.test.ts`,
      "a member that brings more than one may is refused, and harms nobody",
    ),
    assignmentBytesMax: met(
      "groupTooLarge: UNKNOWN_SERVER_ERROR",
      `${group}/limits.test.ts`,
      "an assignment larger than one may be is refused, and the largest is given",
    ),
    groupBytesMax: met(
      "groupTooLarge: UNKNOWN_SERVER_ERROR",
      `${group}/limits.test.ts`,
      "members that together bring more than a group may are refused, from the first too many on",
    ),
    groupItemBytes: met(
      "a further item",
      `${group}/coordinator.test.ts`,
      "keeps a group of so many members that it takes several items",
    ),
    keyNameBytesMax: met(
      "a hash stands for the name",
      `${group}/coordinator.test.ts`,
      "keeps ids apart that are long, strange, or alike",
    ),
    commitRefreshParts: met(
      "an unchanged commit is written again",
      `${group}/coordinator.test.ts`,
      "not while offsets are committed again unchanged, not even over a restart",
    ),
    slotsOpeningMax: met(
      "the other slots are opened next",
      `${group}/held-slots.test.ts`,
      "looks for groups in some slots at a time, and in the others after them",
    ),
    slotReopenMs: met(
      "the slot is loaded again",
      `${group}/coordinator-faults.test.ts`,
      "for long does not keep sessions from ending: the slot is loaded again by itself",
    ),
  },
  "broker-fargate/src/cluster/limits.ts": memberLimitTests,
  "broker-fargate/src/journal/limits.ts": journalLimitTests,
  "broker-fargate/src/takeover/limits.ts": takeoverLimitTests,
  "broker-fargate/src/retention/limits.ts": retentionLimitTests,
  "broker-fargate/src/compaction/limits.ts": compactionLimitTests,
  "core/src/compaction/limits.ts": keyLimitTests,
  "broker-fargate/src/partition/limits.ts": {
    slotsApartMax: met(
      "the other slots are written next",
      `${partition}/slot-writes.test.ts`,
      "is written for some slots at once where they could not be together, then for the others",
    ),
    removalRetryMs: met(
      "what could not be removed is tried again",
      "broker-fargate/src/tier/tier.test.ts",
      "is deleted later where the object store is away",
    ),
    journalFileBytes: met(
      "a larger object gets a file of its own",
      "broker-fargate/src/journal/files/journal.test.ts",
      "is bounded in size and replay by an hour of load",
    ),
    journalSpareFilesMax: met(
      "further ones are deleted",
      `${partition}/limits.test.ts`,
      "keeps a bounded number of trimmed journal files, and deletes further ones",
    ),
    loadsInFlightMax: met(
      "further ones wait, in order",
      `${partition}/lanes.test.ts`,
      "runs so many tasks at once, the others in order as places come free",
    ),
    turnMsMax: { tuning: "how work is cut up into turns of the event loop" },
    journalGrowBytes: { tuning: "steps of preallocation" },
    journalObjectBytes: met(
      "the next append is in another commit",
      "broker-fargate/src/journal/files/journal.test.ts",
      "closes a commit before it is larger than an object may be; a larger append is one of its own",
    ),
    journalBytesMax: met(
      "appends wait, then journalFull",
      "broker-fargate/src/journal/files/journal.test.ts",
      "waits for room in a full journal, then refuses by name; every taken record is kept",
    ),
    journalPendingBytesMax: met(
      "appends wait",
      `${partition}/limits.test.ts`,
      "takes no more appends than may be pending while the journal's sync is under way",
    ),
    journalTrimBytes: met(
      "partitions are synced",
      "broker-fargate/src/journal/files/journal.test.ts",
      "is bounded in size and replay by an hour of load",
    ),
    journalTrimAgeMs: met(
      "partitions are synced",
      "broker-fargate/src/journal/files/journal.test.ts",
      "gives an idle journal's files back, and sets no timer after that",
    ),
    appendWaitMsMax: met(
      "timedOut or journalFull",
      `${partition}/append-queue.test.ts`,
      "are all refused when the first is late: the next would be taken ahead of its retry",
    ),
    appendWaitBytesMax: met(
      "refused at once",
      `${partition}/append-queue.test.ts`,
      "are bounded: one more is refused at once, by the reason of the wait",
    ),
    turnCompressedBytesMax: met(
      "looked at beside the event loop",
      `${partition}/examinations.test.ts`,
      "is found by its size, or by what it opens to; others are decided in their turn",
    ),
    turnOpenedBytesMax: met(
      "looked at beside the event loop",
      `${partition}/examinations.test.ts`,
      "is found by its size, or by what it opens to; others are decided in their turn",
    ),
    turnReencodedBytesMax: met(
      "compressed beside the event loop",
      `${partition}/examinations.test.ts`,
      "are compressed beside the event loop when they are many",
    ),
    reencodingsMax: met(
      "further ones wait their turn",
      `${partition}/examinations.test.ts`,
      "are under way in a bounded number, over all partitions",
    ),
    diskRetryMs: met(
      "the write is tried again",
      "broker-fargate/src/journal/files/journal.test.ts",
      "refuses while the disk is full, loses nothing it took, and goes on when there is room",
    ),
    idleSyncMs: met(
      "synced, and off the dirty list",
      `${partition}/local.test.ts`,
      "is synced and taken off the dirty list when idle, and then needs no timer",
    ),
    dirtySyncMs: met(
      "synced",
      `${partition}/limits.test.ts`,
      "syncs a partition that is never idle often enough to bound what a restart verifies",
    ),
    syncsInFlightMax: met(
      "the others wait",
      `${partition}/left-files.test.ts`,
      "removes some folders at a time; who gets a partition back waits for its own alone",
    ),
    dutyPauseMs: { tuning: "how often background duties run" },
    replayLogsMax: met(
      "logs are synced and closed",
      "broker-fargate/src/journal/files/journal.test.ts",
      "replays records below a start that was moved past them, with other logs in between",
    ),
    unreplayedPartitionsMax: met(
      "the start ends",
      "broker-fargate/src/recovery/recover-journals.test.ts",
      "ends the start where it is one of too many",
    ),
    closedIncarnationsMax: met(
      "those go that no slot's head names",
      "broker-fargate/src/recovery/recover-journals.test.ts",
      "forgets closed incarnations, but never one that a slot's head names",
    ),
  },
  "broker-fargate/src/limits.ts": brokerLimitTests,
  "cli/src/limits.ts": {
    linesShownDefault: met(
      "further lines are only counted",
      "cli/src/log/dump-files.test.ts",
      "as many lines are printed as the default says, and what follows them is still checked",
    ),
    valueBytesShownMax: met(
      "the rest is left out, and the length is printed",
      "cli/src/log/dump-files.test.ts",
      "values are printed as text or in hexadecimal, and no more of them than the limit",
    ),
    headersShownMax: met(
      "the rest is left out, and their number is printed",
      "cli/src/log/dump-files.test.ts",
      "of a record's headers as many are printed as the limit says, and how many there are",
    ),
  },
};
