/** A thread of side work whose tasks go wrong in every way that a thread can. */
import type { SideOutcome } from "@millrace/core";
import { serveSideTasks } from "../src/worker-pool-entry.ts";

const nothing: SideOutcome = { says: null, bytes: [] };

serveSideTasks({
  echo: ({ bytes, told }) => ({ says: told, bytes }),
  exit: () => process.exit(3),
  spin: () => {
    for (;;);
  },
  grow: () => {
    const kept: object[] = [];
    for (;;) kept.push(Array.from({ length: 10_000 }, (_, index) => ({ index })));
  },
  throwLater: () => {
    setImmediate(() => {
      throw new Error("after the answer");
    });
    return nothing;
  },
  unclonable: () => ({ says: (() => 0) as never, bytes: [] }),
});
