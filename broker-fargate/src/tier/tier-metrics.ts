import type { Metrics } from "../metrics/registry.ts";
import type { Counter } from "../metrics/series.ts";
import type { ObjectMeter, ObjectOperation } from "./object-access.ts";
import type { TieredOwner } from "./checkpointer.ts";
import type { Tier } from "./tier.ts";

const operations: readonly ObjectOperation[] = ["put", "read", "list", "delete"];
const boundsSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** Counts the requests to the object store, by operation. */
export function objectMeter(metrics: Metrics): ObjectMeter {
  const name = "millrace_object_store";
  const byOperation = new Map(
    operations.map((operation) => {
      const labels = { operation };
      const counter = (what: string, help: string): Counter =>
        metrics.counter(`${name}_${what}_total`, help, labels);
      return [
        operation,
        {
          bytes: counter("bytes", "Bytes of objects that were sent or received."),
          failures: counter("failures", "Requests to the object store that failed."),
          retries: counter("retries", "Requests to the object store that were tried again."),
          seconds: metrics.histogram(
            `${name}_request_seconds`,
            "How long requests to the object store took.",
            boundsSeconds,
            labels,
          ),
        },
      ] as const;
    }),
  );
  return {
    ended: ({ bytes, durationMs, operation, outcome }) => {
      const series = byOperation.get(operation);
      series?.seconds.observe(durationMs / 1000);
      series?.bytes.add(bytes);
      if (outcome === "failed") series?.failures.add();
    },
    retried: (operation) => byOperation.get(operation)?.retries.add(),
  };
}

/** Counts what neither a disk nor the object store gives back any more. */
export function lostOffsets(metrics: Metrics): Counter {
  const help = "Offsets whose records a pack had alone and does not give back: they are lost.";
  return metrics.counter("millrace_tier_lost_offsets_total", help);
}

/** What is on its way into the object store and what is kept of it, read at each scrape. */
export function observeTier<Owner extends TieredOwner>(metrics: Metrics, tier: Tier<Owner>): void {
  const gauge = (name: string, help: string, read: () => number): void =>
    metrics.observe({ kind: "gauge", name: `millrace_tier_${name}`, help }, read);
  const { checkpointer, chunks } = tier;
  gauge("untiered_bytes", "Bytes appended that no round into the object store has taken.", () => {
    return checkpointer.dirtyBytes;
  });
  gauge("untiered_partitions", "Partitions with such bytes.", () => checkpointer.dirtyPartitions);
  gauge("cached_bytes", "Bytes of objects that are kept in memory for reads.", () => chunks.bytes);
}
