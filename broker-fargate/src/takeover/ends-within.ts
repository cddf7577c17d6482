import type { Clock } from "@millrace/core";

/** Whether it ends by then. Rejects as it does, if it does so by then. */
export function endsWithin(clock: Clock, ms: number, run: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(ms, () => resolve(false));
    const over = (): void => timer.cancel();
    run.then(() => resolve(true), reject).finally(over);
  });
}
