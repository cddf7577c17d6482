/** What the threads of the contract's test run. */
import { serveSideTasks } from "@millrace/adapter-node/thread";
import { contractTasks } from "./side-work-tasks.ts";

serveSideTasks(contractTasks);
