import { MemorySideWork, VirtualClock } from "@millrace/adapter-memory";
import { WorkerPool, workerPoolLimits } from "@millrace/adapter-node";
import { sideWorkContract } from "./side-work-contract.ts";
import { contractTasks } from "./side-work-tasks.ts";

sideWorkContract("in memory", (limits) => {
  const clock = new VirtualClock();
  const sideWork = new MemorySideWork({ clock, tasks: contractTasks, limits });
  const settled = async <Result>(promise: Promise<Result>): Promise<Result> => {
    const progress = { isSettled: false };
    const note = (): void => {
      progress.isSettled = true;
    };
    promise.then(note, note);
    while (!progress.isSettled) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.fireNext();
    }
    return promise;
  };
  return { sideWork, settled };
});

sideWorkContract("on threads", (limits) => {
  const url = new URL("./side-work-thread.ts", import.meta.url);
  const sideWork = new WorkerPool({
    entry: () => ({ kind: "file", url }),
    limits: { ...workerPoolLimits, ...limits },
  });
  return { sideWork, settled: (promise) => promise };
});
