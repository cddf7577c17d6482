/**
 * What a thread runs: the tasks of side work, over node's codecs, or the writes of objects as files. It
 * has no port. That snappy has no native package is said by the process itself, when it first needs one.
 */
import {
  crc32c,
  loadCodecs,
  serveObjectWrites,
  serveSideTasks,
  writesObjects,
} from "@millrace/adapter-node/thread";
import { sideTasks } from "./tasks.ts";

if (writesObjects()) serveObjectWrites();
else serveSideTasks(sideTasks({ codecs: loadCodecs().codecs, crc32c }));
