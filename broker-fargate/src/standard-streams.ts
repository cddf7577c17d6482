import { destination } from "pino";
import { keptLogBytesMax } from "./limits.ts";

/**
 * Where a process's log goes: standard error, which may be a file on a disk that is full, or a pipe that
 * nobody reads any more, as standard output may be. What can't be written is kept up to a bound and
 * written when there is room. There is nowhere to say so, and the process goes on.
 */
export function logToStandardError(
  streams: readonly NodeJS.WriteStream[],
): ReturnType<typeof destination> {
  // Tried again with the next line: to wait for a pipe that nobody reads would hold up everybody.
  const retryEAGAIN = (): boolean => false;
  const log = destination({ dest: 2, sync: true, maxLength: keptLogBytesMax, retryEAGAIN });
  log.on("error", () => undefined);
  // A line that finds no room is not tried, nor is what is kept: nothing would be written ever again.
  log.on("drop", () => log.write(""));
  for (const stream of streams) stream.on("error", () => undefined);
  return log;
}
