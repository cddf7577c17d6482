import { performance } from "node:perf_hooks";

/**
 * Calls `visit` once for every turn of the event loop, with how long the loop was busy in it, in
 * milliseconds: all that ran between two waits for events, be it JavaScript, garbage collection, a
 * synchronous system call or another process that had the core. An event that comes just after a
 * wait ends is served that much later. Returns what ends it.
 *
 * Costs nothing while the process waits: an immediate without a reference runs after each poll and
 * keeps neither the process alive nor the loop from sleeping, and libuv itself counts the time that
 * it slept. A turn here goes from one check phase to the next, so it begins with the closing
 * callbacks and timers that follow a poll, and ends with the poll's own callbacks.
 */
export function watchTurns(visit: (busyMs: number) => void): () => void {
  const { nodeTiming } = performance;
  let stopped = false;
  let lastMs = performance.now();
  let lastIdleMs = nodeTiming.idleTime;
  const turn = (): void => {
    if (stopped) return;
    const nowMs = performance.now();
    const idleMs = nodeTiming.idleTime;
    visit(Math.max(0, nowMs - lastMs - (idleMs - lastIdleMs)));
    lastMs = nowMs;
    lastIdleMs = idleMs;
    setImmediate(turn).unref();
  };
  setImmediate(turn).unref();
  return () => {
    stopped = true;
  };
}
