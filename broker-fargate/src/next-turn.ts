import type { Clock } from "@millrace/core";

/** Lets everybody else have a turn of the event loop. */
export function nextTurn(clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    clock.after(0, resolve);
  });
}
