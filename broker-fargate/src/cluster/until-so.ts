import type { Clock } from "@millrace/core";

/** Resolves when something is so, now or after a later look, or when `msMax` have passed. */
export function untilSo(wait: {
  readonly clock: Clock;
  readonly isSo: () => boolean;
  readonly onLook: (listener: () => void) => () => void;
  readonly msMax: number;
}): Promise<void> {
  if (wait.isSo()) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      stop();
      timer.cancel();
      resolve();
    };
    const timer = wait.clock.after(wait.msMax, done);
    const stop = wait.onLook(() => {
      if (wait.isSo()) done();
    });
  });
}
