import type { Clock } from "@millrace/core";
import { connectionLogLinesPerSecondMax } from "../limits.ts";

/** The part of pino that the server and the handlers write to. */
export interface ServerLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** Whether lines of that level are written at all; without it, all are. */
  isLevelEnabled?(level: string): boolean;
}

/**
 * A log that peers can't flood: some lines a second pass, the rest are counted in the next one
 * that does (`linesDropped`). A line of a level that is not written counts for nothing: the number
 * would go with it.
 */
export function limitedLog(log: ServerLog, clock: Clock): ServerLog {
  let windowStartMs = Number.NEGATIVE_INFINITY;
  let lines = 0;
  let linesDropped = 0;
  const write =
    (level: "info" | "warn" | "error") =>
    (fields: object, message: string): void => {
      if (log.isLevelEnabled?.(level) === false) return;
      const nowMs = clock.monotonicMs();
      if (nowMs - windowStartMs >= 1000) {
        windowStartMs = nowMs;
        lines = 0;
      }
      lines += 1;
      if (lines > connectionLogLinesPerSecondMax) {
        linesDropped += 1;
        return;
      }
      log[level](linesDropped === 0 ? fields : { ...fields, linesDropped }, message);
      linesDropped = 0;
    };
  return { info: write("info"), warn: write("warn"), error: write("error") };
}
