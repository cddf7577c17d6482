import type { Metrics } from "./registry.ts";
import type { Histogram } from "./series.ts";

/** In seconds: a turn of 20 ms is what a client may notice, one of 100 ms what it complains of. */
const turnSecondsBounds: readonly number[] = [
  0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 3,
  10,
];

/**
 * How long each turn of the event loop was busy, in seconds. Whatever comes during a turn waits for
 * its end: a long turn is a stall for every client. The sum is all the time in which the loop was
 * not waiting for work; a process that waits has no turns.
 */
export function observeTurns(metrics: Metrics): Histogram {
  return metrics.histogram(
    "millrace_event_loop_turn_seconds",
    "How long the event loop was busy in each of its turns, in seconds.",
    turnSecondsBounds,
  );
}
