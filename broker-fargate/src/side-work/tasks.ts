import type { SideTasks } from "@millrace/core";
import { compactionTools } from "../compaction/compaction-format.ts";
import { compactionTasks } from "../compaction/tasks.ts";
import { checkBatchesName, checkBatchesTask } from "./check-batches.ts";
import { type BatchTools, examineBatchName, examineBatchTask } from "./examine-batch.ts";

/** All tasks of side work, by the names that calls ask for. */
export function sideTasks(tools: BatchTools): SideTasks {
  return {
    [examineBatchName]: examineBatchTask(tools),
    [checkBatchesName]: checkBatchesTask(tools),
    ...compactionTasks(compactionTools(tools)),
  };
}
