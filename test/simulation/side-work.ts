import { MemorySideWork } from "@millrace/adapter-memory";
import type { SideTasks, SideWork } from "@millrace/core";
import { crc32c, jsCodecs } from "@millrace/wire";
import { sideTasks } from "../../broker-fargate/src/side-work/tasks.ts";
import type { FaultTable, Steps } from "./fault-table.ts";
import type { Life } from "./life.ts";
import type { World } from "./world.ts";

const taskMsMax = 40;
const deathsPerThousand = 8;

/** Side work of one life of a broker, on threads that take their time, and die now and then. */
export function simulatedSideWork(
  deps: {
    readonly world: World;
    readonly life: Life;
    readonly steps: Steps;
    readonly table: FaultTable;
  },
  mutate: (tasks: SideTasks) => SideTasks = (tasks) => tasks,
): SideWork {
  const { life, steps, table, world } = deps;
  const random = world.random.fork();
  const sideWork = new MemorySideWork({
    clock: life.clock(world.clock),
    tasks: mutate(sideTasks({ codecs: jsCodecs, crc32c })),
    fate: ({ task }) => {
      const dies = random.below(1000) < deathsPerThousand ? "yes" : "no";
      if (dies === "yes") table.add("side work death", task);
      world.trace.add(`side work ${task} begins${dies === "yes" ? " and dies" : ""}`);
      return { delayMs: random.below(taskMsMax), dies };
    },
  });
  return {
    run: async (call) => {
      life.check(`side work ${call.task}`);
      const ended = steps.begin(`side work ${call.task}`);
      try {
        return await sideWork.run(call);
      } finally {
        ended();
      }
    },
    close: () => sideWork.close(),
  };
}
