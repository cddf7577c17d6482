import { performance } from "node:perf_hooks";
import type { Clock, Timer } from "@millrace/core";

/** The longest delay that setTimeout takes; a longer one would fire at once. */
const delayMsMax = 2 ** 31 - 1;

/** The machine's time. */
export class SystemClock implements Clock {
  wallMs(): number {
    return Date.now();
  }

  monotonicMs(): number {
    return performance.now();
  }

  after(delayMs: number, run: () => void): Timer {
    if (delayMs <= 0) {
      const turn = setImmediate(run);
      return { cancel: () => clearImmediate(turn) };
    }
    let leftMs = delayMs;
    let handle: NodeJS.Timeout;
    const arm = (): void => {
      const stepMs = Math.min(leftMs, delayMsMax);
      leftMs -= stepMs;
      handle = setTimeout(leftMs > 0 ? arm : run, stepMs);
    };
    arm();
    return { cancel: () => clearTimeout(handle) };
  }
}
