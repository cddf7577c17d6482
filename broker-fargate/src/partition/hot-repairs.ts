import { DiskError } from "@millrace/core";
import type { PartitionLog, RecoveryReport } from "@millrace/core";
import { Metrics } from "../metrics/registry.ts";
import type { Counter } from "../metrics/series.ts";
import type { WarningLog } from "./partitions-deps.ts";

/**
 * Damage of hot logs, counted and told once: where the object store has the bytes the hot copy is
 * given up and readers go on there; where nothing has them, whoever asks for them is refused, and
 * the partition's other offsets are served as before.
 */
export class HotRepairs {
  readonly #log: WarningLog;
  readonly #repairs: Counter;
  readonly #losses: Counter;
  /** Paths of files that have been told of. */
  readonly #told = new Set<string>();

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
   * The object store has what lies below `coveredTo`: gives up what of that lies in the damaged file,
   * and before it. False: nothing, so that the same read fails again.
   */
  giveUp(log: PartitionLog, coveredTo: number, damage: DiskError): boolean {
    if (damage.reason === "full") return false;
    const before = log.localStartOffset;
    try {
      if (log.giveUpDamaged(damage.path, coveredTo) === undefined) return false;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#log.warn({ err: error }, "a damaged hot copy could not be deleted yet");
    }
    const { localStartOffset } = log;
    if (localStartOffset <= before) return false;
    this.#repaired(damage.path, { err: damage, localStartOffset });
    return true;
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

  #repaired(path: string, fields: object): void {
    this.#repairs.add();
    const message = "a damaged hot copy was given up: the object store has what it held";
    this.#log.warn({ path, ...fields }, message);
  }
}
