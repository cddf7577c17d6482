import { MemoryDisk } from "@millrace/adapter-memory";
import { type LogConfig, type LogRecovery, viewOf } from "@millrace/core";
import { jsCodecs, readLastOffset, splitBatches } from "@millrace/wire";
import {
  appendAll,
  directory,
  openTestLog,
  smallSegments,
  testBatch,
} from "../../fixtures/partition-log.ts";
import type { Chance } from "../chance.ts";

/** A batch as it lay in its file. */
export interface PlacedBatch {
  readonly path: string;
  readonly position: number;
  readonly bytes: Uint8Array;
  readonly baseOffset: number;
  readonly lastOffset: number;
}

export interface BuiltLog {
  readonly disk: MemoryDisk;
  readonly config: LogConfig;
  /** In the order of their offsets. */
  readonly batches: readonly PlacedBatch[];
  readonly endOffset: number;
  readonly leaderEpoch: number;
  /** Everything below it was synced. */
  readonly recoveryPoint: number;
  /** `closed`: after SIGTERM, when all is trusted. `killed`: the rest is verified. */
  readonly end: "closed" | "killed";
  readonly recovery: LogRecovery;
  /** By producer, as their batches left them. */
  readonly producers: Uint8Array;
}

const codecs = Object.values(jsCodecs);

/** A log of some segments, through the real code, that ended in one of two ways. */
export async function buildLog(chance: Chance): Promise<BuiltLog> {
  const disk = new MemoryDisk();
  const config = { ...smallSegments, segmentBytes: chance.pick([600, 1_000, 4_000, 1_000_000]) };
  const log = openTestLog(disk, { config });
  const sequences = new Map<number, number>();
  let [epoch, nowMs] = [1, 1_000];
  const syncPerThousand = chance.pick([0, 60, 200]);
  for (let left = chance.between(3, 40); left > 0; left -= 1) {
    if (chance.perThousand(50)) epoch += chance.between(1, 3);
    nowMs += chance.below(50);
    appendAll(log, [nextBatch({ log, epoch, nowMs, sequences, chance })], nowMs);
    if (chance.perThousand(syncPerThousand)) await log.sync();
  }
  const { endOffset, producers } = log;
  const end = chance.pick(["closed", "killed"] as const);
  if (end === "closed") {
    await log.sync();
    log.close();
  }
  const { recoveryPoint } = log;
  disk.kill();
  const batches = disk.paths().flatMap((path) => batchesIn(disk, path));
  return {
    ...{ disk, config, batches, endOffset, recoveryPoint, end, leaderEpoch: epoch },
    producers: producers.snapshot(),
    recovery:
      end === "closed"
        ? { kind: "clean" }
        : { kind: "verifyFrom", offset: recoveryPoint, leaderEpochMax: epoch },
  };
}

interface Next {
  readonly log: { readonly endOffset: number };
  readonly epoch: number;
  readonly nowMs: number;
  readonly sequences: Map<number, number>;
  readonly chance: Chance;
}

function nextBatch({ log, epoch, nowMs, sequences, chance }: Next): ReturnType<typeof testBatch> {
  const count = 1 + chance.skewed(8);
  const timestamps = Array.from({ length: count }, () => nowMs + chance.between(-200, 200));
  const codec = chance.perThousand(300) ? chance.pick(codecs) : undefined;
  const common = {
    ...{ baseOffset: log.endOffset, partitionLeaderEpoch: epoch, timestamps },
    ...(codec === undefined ? {} : { codec }),
    valueBytes: chance.skewed(300),
  };
  if (chance.perThousand(400)) return testBatch(common);
  const producerId = chance.below(4);
  const baseSequence = sequences.get(producerId) ?? 0;
  sequences.set(producerId, baseSequence + count);
  return testBatch({ ...common, producerId, producerEpoch: 0, baseSequence });
}

function batchesIn(disk: MemoryDisk, path: string): readonly PlacedBatch[] {
  if (!path.endsWith(".log")) return [];
  const bytes = disk.bytesOf(path);
  const { end, starts } = splitBatches(bytes);
  return starts.map((position, at) => {
    const batch = bytes.slice(position, starts[at + 1] ?? end);
    const view = viewOf(batch);
    const baseOffset = Number(view.getBigInt64(0));
    return { path, position, bytes: batch, baseOffset, lastOffset: readLastOffset(view, 0) };
  });
}

export function reopened(built: BuiltLog, recovery: LogRecovery): ReturnType<typeof openTestLog> {
  const { config, disk } = built;
  return openTestLog(disk, { config, recovery });
}

export const logDirectory: string = directory;
