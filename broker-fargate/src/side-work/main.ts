/**
 * What a thread of side work runs: the tasks, over node's codecs. It has no port. That snappy has no
 * native package is said by the process itself, when it first needs one.
 */
import { crc32c, loadCodecs, serveSideTasks } from "@millrace/adapter-node/thread";
import { sideTasks } from "./tasks.ts";

serveSideTasks(sideTasks({ codecs: loadCodecs().codecs, crc32c }));
