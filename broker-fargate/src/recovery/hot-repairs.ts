import { DiskError, Lanes, ObjectError } from "@millrace/core";
import type { ColdLog, ColdPart, GivenUp, PartitionLog, RecoveryReport } from "@millrace/core";
import { Metrics } from "../metrics/registry.ts";
import type { Counter } from "../metrics/series.ts";
import type { TieredPartition } from "../tier/tiered-partition.ts";
import { segmentPath } from "../partition/log-opener.ts";
import type { WarningLog } from "../partition/partitions-deps.ts";

/**
 * What became of a damaged hot copy. `repaired`: it was given up, and what it held lies elsewhere.
 * `later`: the object store does not answer, everything is as it was. `refused`: nothing else has
 * it, so that whoever met the damage meets it again.
 */
export type HotRepair = "repaired" | "later" | "refused";

/** A log, and what the object store has of it. */
export interface RepairedLog {
  readonly log: PartitionLog;
  readonly tiered: TieredPartition;
}

/**
 * Damage of hot logs, counted and told once: where the object store has the bytes the hot copy is
 * given up and readers go on there; where nothing has them, whoever asks for them is refused, and
 * the partition's other offsets are served as before.
 *
 * A hot copy is given up only after the cold one was looked at: what takes the damaged segment's
 * place is read and its CRCs are checked; of what goes with it below, whose hot copy is whole,
 * every object has to be there, as long as it was. One repair after another in the process.
 */
export class HotRepairs {
  readonly #log: WarningLog;
  readonly #repairs: Counter;
  readonly #losses: Counter;
  /** Paths of files that have been told of, and why those stay that could be given up. */
  readonly #told = new Set<string>();
  /** Parts that were found damaged: not read again for every reader who meets the hot damage. */
  readonly #bad = new WeakSet<ColdPart>();
  readonly #underWay = new Map<string, Promise<HotRepair>>();
  readonly #lane = new Lanes(1);

  constructor(deps: { readonly log: WarningLog; readonly metrics?: Metrics }) {
    const { metrics = new Metrics() } = deps;
    this.#log = deps.log;
    this.#repairs = metrics.counter(
      "millrace_log_repairs_total",
      "Damaged hot copies of tiered records that were given up for those in the object store.",
    );
    this.#losses = metrics.counter(
      "millrace_log_damaged_reads_total",
      "Reads that failed because a disk did not give what nothing else has.",
    );
  }

  /**
   * Gives up what lies in the damaged file below the cold end, and before it, if the object store
   * gives it back. Never rejects for what disks and stores do.
   */
  giveUp(of: RepairedLog, damage: DiskError): Promise<HotRepair> {
    if (damage.reason === "full") return Promise.resolve("refused");
    const { path } = damage;
    const before = this.#underWay.get(path);
    if (before !== undefined) return before;
    const repair = this.#lane
      .run(() => this.#provenGiveUp(of, damage))
      .finally(() => this.#underWay.delete(path));
    this.#underWay.set(path, repair);
    return repair;
  }

  /**
   * Whether the object store gives back what hot copies hold that a start would give up. Rejects with
   * ObjectError when it does not answer.
   */
  async isCovered({ cold, proofs }: TieredPartition, given: GivenUp): Promise<boolean> {
    const { damagedFrom, from, to } = given;
    const { endOffset = 0, startOffset } = cold;
    if (startOffset === undefined || startOffset > from || endOffset < to) return false;
    const parts = partsOf(cold, given);
    return (await this.#firstBad({ proofs }, { damagedFrom, parts })) === undefined;
  }

  /** A log was opened, and what the object store has was given up of it. */
  opened(directory: string, { coveredDamages }: RecoveryReport): void {
    if (coveredDamages > 0) this.#repaired(directory, { files: coveredDamages });
  }

  /** All of a partition's hot files were given up. */
  replaced(directory: string, damage: DiskError): void {
    this.#repaired(directory, { err: damage });
  }

  /** Nothing has the bytes, or the object store does not give them either. */
  failed(damage: DiskError): void {
    this.#losses.add();
    const { path } = damage;
    if (this.#told.has(path)) return;
    this.#told.add(path);
    this.#log.warn({ err: damage }, "a disk does not give records back that nothing else has");
  }

  async #provenGiveUp(of: RepairedLog, damage: DiskError): Promise<HotRepair> {
    try {
      for (;;) {
        const range = damagedRange(of, damage.path);
        if (range === undefined || isOver(of)) return "refused";
        const bad = await this.#firstBad(of.tiered, range);
        if (isOver(of)) return "refused";
        // Compaction or a cut took some of them meanwhile: others are to be looked at.
        if (!of.tiered.cold.has(range.parts)) continue;
        if (bad === undefined) return this.#giveUp(of.log, range.to, damage);
        this.#bad.add(bad);
        this.#stays(damage, { reason: "its cold copy is damaged too", object: bad.object });
        return "refused";
      }
    } catch (error) {
      // The object store is closed after the logs, whatever is still being read.
      if (isOver(of)) return "refused";
      if (!(error instanceof ObjectError)) throw error;
      this.#stays(damage, { reason: "the object store does not answer", cause: error.message });
      return "later";
    }
  }

  /** The first part that the object store does not give back as it was. */
  async #firstBad(
    { proofs }: Pick<TieredPartition, "proofs">,
    range: Omit<DamagedRange, "to">,
  ): Promise<ColdPart | undefined> {
    for (const part of range.parts) {
      if (this.#bad.has(part)) return part;
      const isDamagedHot = part.nextOffset > range.damagedFrom;
      const isGood = isDamagedHot ? await proofs.isWhole(part) : await proofs.isThere(part);
      if (!isGood) return part;
    }
    return undefined;
  }

  #giveUp(log: PartitionLog, coveredTo: number, damage: DiskError): HotRepair {
    const before = log.localStartOffset;
    try {
      if (log.giveUpDamaged(damage.path, coveredTo) === undefined) return "refused";
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#log.warn({ err: error }, "a damaged hot copy could not be deleted yet");
    }
    const { localStartOffset } = log;
    if (localStartOffset <= before) return "refused";
    this.#repaired(damage.path, { err: damage, localStartOffset });
    return "repaired";
  }

  #stays(
    damage: DiskError,
    why: { readonly reason: string; readonly object?: string; readonly cause?: string },
  ): void {
    const { path } = damage;
    const told = `${path}: ${why.reason}`;
    if (this.#told.has(told)) return;
    this.#told.add(told);
    this.#log.warn({ err: damage, path, ...why }, "a damaged hot copy stays where it is");
  }

  #repaired(path: string, fields: object): void {
    this.#repairs.add();
    const message = "a damaged hot copy was given up: the object store has what it held";
    this.#log.warn({ path, ...fields }, message);
  }
}

/** Closed or deleted: the files may be another owner's by now. */
function isOver({ log, tiered }: RepairedLog): boolean {
  return log.compaction.isClosed || tiered.changes.isClosed;
}

interface DamagedRange {
  /** Where the damaged segment begins; what lies below it goes with it. */
  readonly damagedFrom: number;
  /** Exclusive: the segment's end, or the cold end. */
  readonly to: number;
  /** The cold parts of all that goes, in order. */
  readonly parts: readonly ColdPart[];
}

/** Undefined: nothing would be given up, or the object store does not have all of it. */
function damagedRange({ log, tiered }: RepairedLog, path: string): DamagedRange | undefined {
  const { cold } = tiered;
  const bases = [...log.segments()].map(({ baseOffset }) => baseOffset);
  const at = bases.findIndex((base) => isSamePlace(segmentPath(tiered, base), path));
  const damagedFrom = bases[at];
  const to = Math.min(cold.endOffset ?? 0, bases[at + 1] ?? log.endOffset);
  const { localStartOffset: from } = log;
  const isMissing = cold.startOffset === undefined || cold.startOffset > from;
  if (damagedFrom === undefined || to <= damagedFrom || to <= from || isMissing) return undefined;
  return { damagedFrom, to, parts: partsOf(cold, { from, to }) };
}

function partsOf(cold: ColdLog, { from, to }: Pick<GivenUp, "from" | "to">): readonly ColdPart[] {
  const isOfIt = (part: ColdPart): boolean => part.nextOffset > from && part.baseOffset < to;
  return [...cold.parts()].filter(isOfIt);
}

/** A segment's indexes are named as it is but for the ending. */
function isSamePlace(one: string, other: string): boolean {
  return one.slice(0, one.lastIndexOf(".")) === other.slice(0, other.lastIndexOf("."));
}
