import { expect, it } from "vitest";
import { connectionLogLinesPerSecondMax } from "../limits.ts";
import { HandClock, LineLog } from "./fixtures.ts";
import { limitedLog } from "./log.ts";

class WarnLog extends LineLog {
  isLevelEnabled(level: string): boolean {
    return level !== "info";
  }
}

it("keeps the number of lines that were left out for a line that is written", () => {
  const written = new WarnLog();
  const clock = new HandClock();
  const log = limitedLog(written, clock);
  for (let left = connectionLogLinesPerSecondMax + 7; left > 0; left--) log.warn({}, "a peer");
  clock.advance(1000);
  log.info({}, "nobody reads this");
  log.warn({}, "a peer");
  expect(written.lines.at(-1)).toMatchObject({ level: "warn", fields: { linesDropped: 7 } });
});

it("takes no room of a second for lines that are not written", () => {
  const written = new WarnLog();
  const log = limitedLog(written, new HandClock());
  for (let left = connectionLogLinesPerSecondMax; left > 0; left--) log.info({}, "nobody reads it");
  log.warn({}, "a peer");
  expect(written.lines).toMatchObject([{ level: "warn", message: "a peer" }]);
});
