import type { RetentionReason, RetentionStep } from "@millrace/core";
import type { Metrics } from "../metrics/registry.ts";
import type { Counter, Gauge } from "../metrics/series.ts";

const reasons: readonly RetentionReason[] = ["startOffset", "size", "time"];

/** What the checks for retention tell of themselves. */
export class RetentionMetrics {
  readonly #segments = new Map<RetentionReason, Counter>();
  readonly #bytes = new Map<RetentionReason, Counter>();
  readonly #localSegments: Counter;
  readonly #localBytes: Counter;
  readonly #looks: Counter;
  readonly #failures: Counter;
  readonly #checks: Counter;
  readonly #checkMs: Gauge;

  constructor(metrics: Metrics) {
    const counter = (name: string, help: string): Counter =>
      metrics.counter(`millrace_retention_${name}_total`, help);
    for (const reason of reasons) {
      const labels = { reason };
      const segments = "Segments that retention deleted.";
      const bytes = "Bytes of segments that retention deleted.";
      const name = "millrace_retention_deleted";
      this.#segments.set(reason, metrics.counter(`${name}_segments_total`, segments, labels));
      this.#bytes.set(reason, metrics.counter(`${name}_bytes_total`, bytes, labels));
    }
    this.#localSegments = counter(
      "local_segments",
      "Hot copies of tiered segments that local retention deleted.",
    );
    this.#localBytes = counter("local_bytes", "Bytes of such copies.");
    this.#looks = counter("idle_looks", "Looks at the files of partitions that are not loaded.");
    this.#failures = counter("failures", "Partitions that could not be checked or deleted from.");
    this.#checks = counter("checks", "Checks of all partitions.");
    this.#checkMs = metrics.gauge(
      "millrace_retention_check_milliseconds",
      "How long the last check of all partitions took, pauses included.",
    );
  }

  deleted(steps: readonly RetentionStep[]): void {
    for (const { bytes, reason, segments } of steps) {
      this.#segments.get(reason)?.add(segments);
      this.#bytes.get(reason)?.add(bytes);
    }
  }

  droppedLocally(steps: readonly RetentionStep[]): void {
    for (const { bytes, segments } of steps) {
      this.#localSegments.add(segments);
      this.#localBytes.add(bytes);
    }
  }

  looked(): void {
    this.#looks.add();
  }

  failed(): void {
    this.#failures.add();
  }

  checked(tookMs: number): void {
    this.#checks.add();
    this.#checkMs.set(tookMs);
  }
}
