import { assert } from "../assert.ts";
import { DiskError } from "../ports/disk.ts";
import { ProducerState } from "../producer/producer-state.ts";
import { forgetCleanedAbove } from "./cleaned-offset.ts";
import { forgetGapsFrom } from "./compacted-gaps.ts";
import {
  cleanedOffsetName,
  compactedGapsName,
  leaderEpochsName,
  parseFileName,
} from "./file-names.ts";
import { dropDeleted } from "./deleted-segments.ts";
import { LeaderEpochs } from "./leader-epochs.ts";
import type { LogConfig } from "./log-config.ts";
import type { LogFiles } from "./log-files.ts";
import type { LogOptions, RecoveryReport } from "./log-options.ts";
import { type BatchesHere, ProducerSnapshots } from "./producer-snapshots.ts";
import { parseBesideName } from "./replacement.ts";
import type { Segment } from "./segment.ts";
import type { SegmentRecovery } from "./segment-rules.ts";
import { SegmentList } from "./segment-list.ts";

export interface OpenedLog {
  readonly segments: SegmentList;
  readonly epochs: LeaderEpochs;
  readonly snapshots: ProducerSnapshots;
  readonly producers: ProducerState;
  /** No snapshot tells of the producers before the first batch that is here. */
  readonly missesProducers: boolean;
  readonly logStartOffset: number;
  readonly endOffset: number;
  readonly recoveryPoint: number;
  /** Whose bytes were read again, or cut, and may not be on the disk. */
  readonly unsynced: readonly Segment[];
  readonly namesChanged: boolean;
  readonly report: RecoveryReport;
}

/** What recovery made of the segments. */
interface Recovered {
  readonly cutBytes: number;
  /** Everything below it is durable, if the log reaches so far; undefined: all of the log. */
  readonly trustedTo: number | undefined;
  readonly unsynced: readonly Segment[];
}

/**
 * Opens the files of a log: recovers its segments, then reads the headers of those batches that
 * neither the newest producer snapshot nor the file of leader epochs tells of.
 */
export function openLog(files: LogFiles, options: LogOptions): OpenedLog {
  const names = files.disk.list(files.directory);
  const segments = new SegmentList(files, baseOffsetsOf(names));
  try {
    return openSegments(files, options, { names, segments });
  } catch (error) {
    for (const segment of segments.all) segment.close();
    throw error;
  }
}

function openSegments(
  files: LogFiles,
  options: LogOptions,
  { names, segments }: { readonly names: readonly string[]; readonly segments: SegmentList },
): OpenedLog {
  const { config, startOffset } = options;
  removeStrays(files, names, segments);
  const dropped = dropDeleted(segments, options);
  const recovered = recover(segments, options);
  const first = segments.all[0];
  let endOffset = segments.active?.tail(config).nextOffset ?? startOffset;
  let cutBytes = recovered.cutBytes;
  const { coldEndOffset = 0 } = options;
  const snapshots = new ProducerSnapshots(files, names, (offset) => segments.has(offset));
  const expected = expectedEnd(options);
  // What ends before the object store's end goes on there: nothing of it is lost.
  const lostBelow = expected > Math.max(endOffset, coldEndOffset) ? expected : undefined;
  if (endOffset < startOffset) {
    cutBytes += segments.removeFrom(0);
    endOffset = startOffset;
  }
  if (names.includes(compactedGapsName)) forgetGapsFrom(endOffset, files);
  const isDirtier = names.includes(cleanedOffsetName) && forgetCleanedAbove(endOffset, files);
  const epochs = new LeaderEpochs(files.disk, files.directory, files.crc32c);
  const cutSnapshots = snapshots.cutEnd(endOffset);
  const replayed = replayBatches({
    ...{ segments, epochs, snapshots, config, recovered, endOffset },
    hasEpochs: names.includes(leaderEpochsName),
    coveredTo: Math.min(coldEndOffset, endOffset),
  });
  const { missesProducers, producers } = replayed;
  const stepped = segments.all.filter(({ hasDamage }) => hasDamage).length;
  const unsynced = recovered.unsynced.filter((segment) => segments.all.includes(segment));
  return {
    segments,
    epochs,
    snapshots,
    producers,
    missesProducers,
    logStartOffset: startOf(options, first?.baseOffset),
    endOffset,
    recoveryPoint: Math.min(recovered.trustedTo ?? endOffset, endOffset),
    unsynced,
    namesChanged: dropped.isAny || cutBytes > 0 || cutSnapshots > 0 || isDirtier,
    report: {
      cutBytes,
      lostBelow,
      coveredDamages: dropped.damaged + Math.max(stepped, replayed.damages),
    },
  };
}

function startOf(
  { coldEndOffset, startOffset }: LogOptions,
  firstOffset: number | undefined,
): number {
  const isReached = coldEndOffset !== undefined && (firstOffset ?? 0) <= coldEndOffset;
  return isReached ? startOffset : Math.max(startOffset, firstOffset ?? startOffset);
}

function baseOffsetsOf(names: readonly string[]): readonly number[] {
  const offsets: number[] = [];
  for (const name of names) {
    const parsed = parseFileName(name);
    if (parsed?.kind === "log") offsets.push(parsed.offset);
  }
  return offsets.sort((a, b) => a - b);
}

/** Indexes without a segment, and a replacement that was never put in place. */
function removeStrays(files: LogFiles, names: readonly string[], segments: SegmentList): void {
  const known = new Set(segments.all.map(({ baseOffset }) => baseOffset));
  for (const name of names) {
    const parsed = parseFileName(name);
    const isIndex = parsed?.kind === "index" || parsed?.kind === "timeindex";
    const isStrayIndex = isIndex && !known.has(parsed.offset);
    const beside = parseBesideName(name);
    assert(beside?.kind !== "swap", "a replacement is finished before the log is opened");
    const isReplacement = beside !== undefined || replacements.has(name);
    if (isStrayIndex || isReplacement) files.disk.remove(`${files.directory}/${name}`);
  }
}

const replacements = new Set(
  [leaderEpochsName, cleanedOffsetName, compactedGapsName].map((name) => `${name}.tmp`),
);

function expectedEnd({ recovery }: LogOptions): number {
  return recovery.kind === "clean" ? 0 : recovery.offset;
}

function recover(segments: SegmentList, options: LogOptions): Recovered {
  const { recovery } = options;
  const active = segments.active;
  if (active === undefined) return { cutBytes: 0, trustedTo: undefined, unsynced: [] };
  switch (recovery.kind) {
    case "verifyFrom":
      return verifyFrom(segments, options, recovery.offset);
    case "truncateTo":
      return cutAt(segments, options, recovery.offset);
    case "clean": {
      const cutBytes = cutTornTail(segments, options);
      const unsynced = cutBytes > 0 ? segments.all.slice(-1) : [];
      return { cutBytes, trustedTo: undefined, unsynced };
    }
  }
}

/** What was to be trusted ends in bytes that are no batch: as much is kept as is sound. */
function cutTornTail(segments: SegmentList, options: LogOptions): number {
  const { coldEndOffset: coveredTo = 0, config, isCovered, startOffset } = options;
  const active = segments.active;
  if (active === undefined || isWhole(active, options)) return 0;
  const from = Math.max(active.baseOffset, coveredTo);
  const covered = { coveredTo, startOffset, isCovered };
  const rules = { ...covered, from, beyond: "verify", leaderEpochMax } as const;
  return active.recover(rules, config);
}

/** Whether it ends in a batch. Throws a DiskError of what nobody else has and can't be read at all. */
function isWhole(active: Segment, { coldEndOffset = 0, config }: LogOptions): boolean {
  try {
    return active.tail(config).damagedAt < 0;
  } catch (error) {
    if (!(error instanceof DiskError) || coldEndOffset <= active.baseOffset) throw error;
    return false;
  }
}

/** Cuts at `offset` without a look at what lies there: it may be any bytes. */
function cutAt(segments: SegmentList, options: LogOptions, offset: number): Recovered {
  const { coldEndOffset = 0, config, isCovered, startOffset } = options;
  // Where the object store has more, the log goes on there.
  const coveredTo = coldEndOffset <= offset ? coldEndOffset : 0;
  const holder = segments.indexOf(offset);
  let cutBytes = segments.removeFrom(holder + 1);
  // A log that begins later than it is to end keeps its end in the name of an empty segment.
  const active = segments.active ?? segments.truncateTo(offset, config).active;
  const covered = { coveredTo, startOffset, isCovered };
  const rules = { ...covered, from: offset, beyond: "cut", leaderEpochMax } as const;
  cutBytes += active.recover(rules, config);
  const unsynced = cutBytes > 0 ? [active] : [];
  return { cutBytes, trustedTo: undefined, unsynced };
}

const leaderEpochMax = Number.MAX_VALUE;

function verifyFrom(segments: SegmentList, options: LogOptions, from: number): Recovered {
  const { recovery, config } = options;
  const limit = recovery.kind === "verifyFrom" ? recovery.leaderEpochMax : undefined;
  const { coldEndOffset = 0, isCovered, startOffset } = options;
  // What the object store has is not looked at here: damage in it is found when it is read.
  const verifiedFrom = Math.max(from, coldEndOffset);
  const rules: SegmentRecovery = {
    ...{ from: verifiedFrom, beyond: "verify" as const, coveredTo: coldEndOffset },
    ...{ startOffset, isCovered },
    leaderEpochMax: limit ?? leaderEpochMax,
  };
  let cutBytes = 0;
  const first = segments.all[0]?.baseOffset ?? 0;
  const localStart = first <= coldEndOffset ? Math.max(first, startOffset) : startOffset;
  if (segments.indexOf(Math.max(from, localStart)) < 0) {
    // The file is missing that the log, or what is to be verified, begins in.
    return { cutBytes: segments.removeFrom(0), trustedTo: from, unsynced: [] };
  }
  let expected: number | undefined;
  for (let i = Math.max(0, segments.indexOf(verifiedFrom)); i < segments.all.length; i++) {
    const segment = segments.all[i];
    if (segment === undefined) break;
    if (expected !== undefined && segment.baseOffset !== expected) {
      // A batch, or a whole file, is missing in between: what follows has lost its place.
      cutBytes += segments.removeFrom(i);
      break;
    }
    cutBytes += segment.recover(rules, config);
    expected = segment.tail(config).nextOffset;
  }
  return {
    cutBytes,
    trustedTo: from,
    unsynced: segments.all.slice(Math.max(0, segments.indexOf(from))),
  };
}

interface Replay {
  readonly segments: SegmentList;
  readonly epochs: LeaderEpochs;
  /** Whether their file is there. */
  readonly hasEpochs: boolean;
  readonly snapshots: ProducerSnapshots;
  readonly config: LogConfig;
  readonly recovered: Recovered;
  readonly endOffset: number;
  /** What lies below is in the object store as well. */
  readonly coveredTo: number;
}

type Replayed = Pick<OpenedLog, "missesProducers" | "producers"> & { readonly damages: 0 | 1 };

/** Where the batches to be told can't be read, only those that nobody else has are. */
function replayBatches(from: Replay): Replayed {
  const { config, coveredTo, endOffset, epochs, segments } = from;
  try {
    return { ...replay(from), damages: 0 };
  } catch (error) {
    const isCovered = coveredTo > batchesHere(segments, endOffset).first;
    if (!(error instanceof DiskError) || !isCovered) throw error;
  }
  const producers = ProducerState.empty();
  epochs.replace([]);
  const holder = segments.all[segments.indexOf(coveredTo)];
  if (holder !== undefined && holder.baseOffset < coveredTo) holder.giveUpTo(coveredTo, config);
  segments.eachBatch(coveredTo, config, (batch) => {
    if (batch.baseOffset < coveredTo) return;
    epochs.note(batch.leaderEpoch, batch.baseOffset);
    producers.apply(batch);
  });
  return { missesProducers: true, producers, damages: 1 };
}

function replay(from: Replay): Pick<OpenedLog, "missesProducers" | "producers"> {
  const { segments, epochs, snapshots, config, endOffset } = from;
  const epochsFrom = knownEpochsEnd(from);
  const here = batchesHere(segments, endOffset);
  const { isComplete, offset: producersFrom, producers } = snapshots.newestFor(here);
  const missesProducers = !isComplete;
  const start = Math.min(epochsFrom, producersFrom);
  if (start >= endOffset) return { missesProducers, producers };
  segments.eachBatch(start, config, (batch) => {
    if (batch.lastOffset >= epochsFrom) epochs.note(batch.leaderEpoch, batch.baseOffset);
    if (batch.baseOffset >= producersFrom) producers.apply(batch);
  });
  return { missesProducers, producers };
}

/** Of a log without a batch both are its end. */
export function batchesHere(segments: SegmentList, end: number): BatchesHere {
  return { first: Math.min(segments.all[0]?.baseOffset ?? end, end), end };
}

/** The offset from which on the batches have to be asked for their leader epochs. */
function knownEpochsEnd(from: Replay): number {
  const { segments, epochs, config, hasEpochs, recovered, endOffset } = from;
  // A log that nobody wrote to has none: not to look for it saves such logs their longest call.
  const isLoaded = hasEpochs && epochs.load() === "loaded";
  const trusted = Math.min(recovered.trustedTo ?? endOffset, endOffset);
  // No epochs: an empty log's file, or a damaged one, which no CRC tells apart.
  if (!isLoaded || epochs.entries.length === 0) return 0;
  epochs.cutEnd(trusted);
  if (trusted < endOffset) return trusted;
  const last = segments.active?.tail(config).lastLeaderEpoch ?? -1;
  return epochs.latestEpoch < last ? 0 : endOffset;
}
