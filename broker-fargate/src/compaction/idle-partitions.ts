import { cleanable, clippedParts, coldCleanable, readCleanedOffset, viewOf } from "@millrace/core";
import type {
  BatchFormat,
  Checksum,
  CleanableSegment,
  ColdPart,
  Disk,
  TopicId,
  TopicSettings,
} from "@millrace/core";
import { partitionDirectory } from "../partition/log-opener.ts";

interface IdleFiles {
  readonly disk: Disk;
  readonly crc32c: Checksum;
  readonly format: BatchFormat;
}

const segmentName = /^([0-9]{20})\.log$/;

/**
 * Whether a round of compaction seems to be due for a partition that nobody touched since the start,
 * by the names and sizes of its files: no log is opened, and nothing stays in memory. Whether it is
 * due indeed, the loaded partition will tell. Throws a DiskError.
 */
export function isIdleRoundDue(
  files: IdleFiles,
  at: { readonly topicId: TopicId; readonly partition: number },
  settings: TopicSettings,
  nowMs: number,
): boolean {
  const directory = partitionDirectory(at);
  const names = files.disk.list(directory).filter((name) => segmentName.test(name));
  const [first] = names;
  // The last segment takes the appends.
  if (first === undefined || names.length < 2) return false;
  const segments = names.map((name) => idleSegment(files, `${directory}/${name}`, name));
  const log = {
    segments,
    logStartOffset: baseOf(first),
    cleanedTo: readCleanedOffset({ ...files, directory }),
    lastStableOffset: Number.POSITIVE_INFINITY,
    settledOffset: Number.POSITIVE_INFINITY,
  };
  return cleanable(log, settings, nowMs)?.isDue === true;
}

/** The same of its cold parts, by what names them. */
export function isIdleColdRoundDue(
  parts: readonly ColdPart[],
  settings: TopicSettings,
  when: { readonly nowMs: number; readonly dirtyBytesMin: number },
): boolean {
  const clipped = clippedParts(parts);
  const dirty = clipped.find(({ part }) => part.isCleaned !== true);
  if (dirty === undefined) return false;
  const log = {
    ...{ clipped, cleanedTo: dirty.baseOffset, logStartOffset: 0 },
    lastStableOffset: Number.POSITIVE_INFINITY,
  };
  return coldCleanable(log, settings, when)?.isDue === true;
}

function idleSegment(files: IdleFiles, path: string, name: string): CleanableSegment {
  return {
    baseOffset: baseOf(name),
    get sizeBytes() {
      const file = files.disk.open(path, { create: "never" });
      const size = file?.size() ?? 0;
      file?.close();
      return size;
    },
    // Which record is too young, only the batches tell.
    largestTimestamp: -1,
    get firstTimestamp() {
      const header = new Uint8Array(files.format.BATCH_HEADER_BYTES);
      const file = files.disk.open(path, { create: "never" });
      const read = file?.read(0, header) ?? 0;
      file?.close();
      return read < header.length ? -1 : files.format.readMaxTimestamp(viewOf(header), 0);
    },
  };
}

function baseOf(name: string): number {
  return Number(name.slice(0, name.indexOf(".")));
}
