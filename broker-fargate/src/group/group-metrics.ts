import type { Metrics } from "../metrics/registry.ts";
import type { Counter } from "../metrics/series.ts";

export interface GroupMetrics {
  readonly rebalances: Counter;
  readonly offsetCommits: Counter;
  readonly offsetsExpired: Counter;
  readonly slotsLost: Counter;
}

export function groupMetrics(metrics: Metrics): GroupMetrics {
  return {
    rebalances: metrics.counter(
      "millrace_group_generations_total",
      "Generations of classic groups that began.",
    ),
    offsetCommits: metrics.counter(
      "millrace_group_offset_commits_total",
      "Offsets committed, one for each partition, unchanged ones included.",
    ),
    offsetsExpired: metrics.counter(
      "millrace_group_offsets_expired_total",
      "Committed offsets removed because their retention was over.",
    ),
    slotsLost: metrics.counter(
      "millrace_group_slots_lost_total",
      "Slots whose groups were loaded again because a write had an unknown outcome.",
    ),
  };
}
