import type { Clock, Timer } from "@millrace/core";
import { eventLoopSampleMs } from "../limits.ts";
import type { Metrics } from "./registry.ts";

/**
 * Measures how late timers fire: what a request waits because something else kept the event loop.
 * A stall shows once, with its whole length, in the bucket that it belongs to.
 */
export class EventLoopWatch {
  private readonly clock: Clock;
  private readonly observe: (seconds: number) => void;
  private timer: Timer | undefined;

  constructor(clock: Clock, metrics: Metrics) {
    this.clock = clock;
    const delays = metrics.histogram(
      "millrace_event_loop_delay_seconds",
      "How late a timer fired, in seconds, sampled ten times a second.",
      [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3, 10],
    );
    this.observe = (seconds) => delays.observe(seconds);
  }

  start(): void {
    const dueMs = this.clock.monotonicMs() + eventLoopSampleMs;
    this.timer = this.clock.after(eventLoopSampleMs, () => {
      this.observe(Math.max(0, this.clock.monotonicMs() - dueMs) / 1000);
      this.start();
    });
  }

  stop(): void {
    this.timer?.cancel();
  }
}
