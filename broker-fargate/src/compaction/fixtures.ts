import { cleanable, KeyMemory } from "@millrace/core";
import type { CompactionTools, PartitionLog, SideWork, TopicId } from "@millrace/core";
import { crc32c, jsCodecs, readBatchHeader, splitBatches } from "@millrace/wire";
import { textBatch, textsIn } from "../../../test/fixtures/compaction.ts";
import { DirectSideWork } from "../../../test/fixtures/direct-side-work.ts";
import { Metrics } from "../metrics/registry.ts";
import { Rig, smallLimits, turn } from "../partition/fixtures.ts";
import { checked } from "../partition/limits.ts";
import type { PartitionOwner } from "../partition/owner.ts";
import { tierLimits, type TierLimits } from "../tier/limits.ts";
import { compactionTools } from "./compaction-format.ts";
import { compactionLimits, type CompactionLimits } from "./limits.ts";
import { LogCleaner } from "./log-cleaner.ts";
import { CompactionRound, type RoundOutcome } from "./round.ts";

export const testTools: CompactionTools = compactionTools({ codecs: jsCodecs, crc32c });

export interface TestRound {
  readonly nowMs?: number;
  readonly deleteRetentionMs?: number;
  readonly mapBytesMax?: number;
  readonly pieceBytes?: number;
  readonly expiresBelow?: number;
  readonly sideWork?: SideWork;
  readonly isStopped?: () => boolean;
}

const rules = {
  minCompactionLagMs: 0,
  maxCompactionLagMs: Number.MAX_SAFE_INTEGER,
  minCleanableDirtyRatio: 0,
};

/** With memory that holds another map's leftovers. */
function usedKeyMemory(): KeyMemory {
  const memory = new KeyMemory();
  const used = new Uint8Array(memory.take(1 << 20).memory).fill(0xa5);
  memory.giveBack(used);
  return memory;
}

/** One round over all that may be cleaned; `clean`: there is nothing. */
export async function runRound(
  log: PartitionLog,
  round: TestRound = {},
): Promise<RoundOutcome | "clean"> {
  const { compaction, logStartOffset } = log;
  const facts = {
    ...{ segments: compaction.segments(), logStartOffset, cleanedTo: compaction.cleanedTo },
    lastStableOffset: log.producers.firstUnstableOffset ?? log.endOffset,
    settledOffset: log.recoveryPoint,
  };
  const nowMs = round.nowMs ?? 0;
  const found = cleanable(facts, rules, nowMs);
  if (found === undefined) return "clean";
  const { deleteRetentionMs = 1000, expiresBelow = Infinity, mapBytesMax = 1 << 20 } = round;
  const seed = Uint8Array.from({ length: 16 }, (_, i) => i * 7);
  const times = { deleteRetentionMs, expiresBelow, nowMs };
  const order = { cleanable: found, ...times, mapBytesMax, seed };
  const { pieceBytes = compactionLimits.pieceBytes } = round;
  return new CompactionRound(log, order, {
    ...{ format: testTools.format, pieceBytes, offsetSpanMax: 0x7fffffff },
    keyMemory: usedKeyMemory(),
    sideWork: round.sideWork ?? new DirectSideWork(),
    isStopped: round.isStopped ?? (() => false),
    pass: () => Promise.resolve(),
  }).run();
}

/** Three batches of it fill a segment. */
export const filling: string = "x".repeat(340_000);

const mebibyte = 1 << 20;
const limits = checked({
  ...smallLimits,
  journalFileBytes: 4 * mebibyte,
  journalObjectBytes: mebibyte,
  journalBytesMax: 32 * mebibyte,
  journalPendingBytesMax: 4 * mebibyte,
  journalTrimBytes: 16 * mebibyte,
});

/** Partitions in memory, and their cleaner. */
export class CleanerRig {
  readonly rig: Rig;
  readonly warnings: string[] = [];
  readonly sideWork: DirectSideWork = new DirectSideWork();
  metrics: Metrics = new Metrics();
  cleaner: LogCleaner;

  private constructor(rig: Rig) {
    this.rig = rig;
    this.cleaner = this.#newCleaner();
  }

  static async start(
    seed = 1,
    tiers: "none" | "tiered" | TierLimits = "none",
  ): Promise<CleanerRig> {
    const tier = tiers === "none" ? {} : { tierLimits: tiers === "tiered" ? tierLimits : tiers };
    return new CleanerRig(await new Rig({ seed, limits, ...tier }).start());
  }

  /** Over the partitions of the present life. */
  attach(limits?: CompactionLimits): void {
    this.cleaner = this.#newCleaner(limits);
  }

  #newCleaner(limits?: CompactionLimits): LogCleaner {
    const { clock, cluster, disk, partitions, random } = this.rig;
    this.metrics = new Metrics();
    return new LogCleaner({
      ...{ clock, cluster, disk, partitions, random, metrics: this.metrics },
      ...{ sideWork: this.sideWork, tools: testTools },
      ...(limits === undefined ? {} : { limits }),
      log: {
        warn: (_, message) => this.warnings.push(message),
        error: (_, message) => this.warnings.push(message),
      },
    });
  }

  /** Looks and cleans, while time passes. */
  clean(): Promise<void> {
    return this.drive(this.cleaner.clean());
  }

  async drive(work: Promise<void>): Promise<void> {
    let isOver = false;
    const over = work.finally(() => {
      isOver = true;
    });
    for (let turns = 0; turns < 20_000; turns += 1) {
      await turn();
      if (isOver) return over;
      this.rig.clock.fireNext();
    }
    throw new Error("it does not end");
  }

  createTopic(
    name: string,
    configs: Record<string, string> = {},
    partitions = 1,
  ): Promise<TopicId> {
    const more = { "segment.bytes": "1048576", "cleanup.policy": "compact", ...configs };
    return this.rig.createTopic(name, { partitions, configs: more });
  }

  /** Appends batches of one key each, with values that tell which one it was. */
  async fill(id: TopicId, count: number, keys = 2): Promise<PartitionOwner> {
    const owner = await this.rig.partitions.open(id, 0);
    for (let i = 0; i < count; i++) {
      await this.append(owner, `k${i % keys}`, `${owner.highWatermark}`);
    }
    return owner;
  }

  async append(owner: PartitionOwner, key: string, value: string | null): Promise<void> {
    const records = textBatch([
      { key, value },
      { key: "filling", value: filling },
    ]);
    const appending = owner.append({ records, waitFor: "appended" });
    await this.rig.pass(1);
    const result = await appending;
    if (result.kind === "refused") throw new Error(result.reason);
  }

  /** So long that everything is synced, trimmed and not marked as dirty any more. */
  async settle(): Promise<void> {
    await this.rig.pass(150_000);
  }

  counted(name: string): number {
    const line = this.metrics
      .exposition()
      .split("\n")
      .find((each) => {
        return each.startsWith(`millrace_compaction_${name} `);
      });
    return Number(line?.split(" ")[1]);
  }
}

/** Offset and value of every record but the filling ones. */
export function recordsOf(owner: PartitionOwner): readonly string[] {
  const seen: string[] = [];
  for (let from = owner.logStartOffset; from < owner.highWatermark; ) {
    const range = { from, maxBytes: 1 << 22, isolation: "uncommitted", atLeastOneBatch: true };
    const read = owner.read(range as Parameters<PartitionOwner["read"]>[0]);
    if (read.kind !== "ok" || read.records.length === 0) break;
    for (const bytes of read.records) {
      const texts = textsIn(bytes).filter(({ key }) => key !== "filling");
      seen.push(...texts.map(({ key, offset, value }) => `${offset}:${key}=${value}`));
      const header = readBatchHeader(bytes, splitBatches(bytes).starts.at(-1) ?? 0);
      from = header.baseOffset + header.lastOffsetDelta + 1;
    }
  }
  return seen;
}

/** Key and value. */
export function partsOf(record: string): [string, string] {
  const [, key = "", value = ""] = /:(.*)=(.*)$/.exec(record) ?? [];
  return [key, value];
}
