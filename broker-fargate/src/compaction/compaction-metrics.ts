import type { Metrics } from "../metrics/registry.ts";
import type { Counter, Gauge } from "../metrics/series.ts";

/** What compaction tells of itself. */
export class CompactionMetrics {
  readonly #read: Counter;
  readonly #written: Counter;
  readonly #removed: Counter;
  readonly #rounds: Counter;
  readonly #failures: Counter;
  readonly #seconds: Counter;
  readonly #waiting: Gauge;
  readonly #uncleanable: Gauge;
  readonly #dirtyRatio: Gauge;

  constructor(metrics: Metrics) {
    const counter = (name: string, help: string): Counter =>
      metrics.counter(`millrace_compaction_${name}_total`, help);
    const gauge = (name: string, help: string): Gauge =>
      metrics.gauge(`millrace_compaction_${name}`, help);
    this.#read = counter("read_bytes", "Log bytes that compaction read.");
    this.#written = counter("written_bytes", "Log bytes that compaction wrote.");
    this.#removed = counter("removed_records", "Records that compaction removed.");
    this.#rounds = counter("rounds", "Rounds of compaction that came to their end.");
    this.#failures = counter("failures", "Rounds of compaction that failed.");
    this.#seconds = counter("seconds", "Time that rounds took, in seconds.");
    this.#waiting = gauge("waiting_partitions", "Partitions that a round is due for.");
    this.#uncleanable = gauge(
      "uncleanable_partitions",
      "Partitions that are not compacted before a restart, because a round failed.",
    );
    this.#dirtyRatio = gauge("dirty_ratio_max", "The largest share of a log that is dirty.");
  }

  passed(bytes: { readonly read: number; readonly written: number }): void {
    this.#read.add(bytes.read);
    this.#written.add(bytes.written);
  }

  cleaned(removedRecords: number): void {
    this.#rounds.add();
    this.#removed.add(removedRecords);
  }

  failed(): void {
    this.#failures.add();
  }

  took(ms: number): void {
    this.#seconds.add(ms / 1000);
  }

  seen(look: {
    readonly waiting: number;
    readonly uncleanable: number;
    readonly dirtyRatioMax: number;
  }): void {
    this.#waiting.set(look.waiting);
    this.#uncleanable.set(look.uncleanable);
    this.#dirtyRatio.set(look.dirtyRatioMax);
  }
}
