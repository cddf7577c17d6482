/** A thread of side work whose tasks go wrong in every way that a thread can. */
import { getPriority } from "node:os";
import type { SideOutcome } from "@millrace/core";
import { serveSideTasks } from "../src/worker-pool-entry.ts";

const nothing: SideOutcome = { says: null, bytes: [] };

serveSideTasks({
  echo: ({ bytes, told }) => ({ says: told, bytes }),
  priority: () => ({ says: getPriority(), bytes: [] }),
  exit: () => process.exit(3),
  spin: () => {
    for (;;);
  },
  grow: () => {
    const row = Array.from({ length: 50_000 }, (_, index) => index);
    const kept: object[] = [];
    for (;;) kept.push([...row]);
  },
  throwLater: () => {
    // An error overtakes an answer that the pool had no turn to read.
    setTimeout(() => {
      throw new Error("after the answer");
    }, 250);
    return nothing;
  },
  unclonable: () => ({ says: (() => 0) as never, bytes: [] }),
});
