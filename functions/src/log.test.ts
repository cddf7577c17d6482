import { expect, it } from "vitest";
import { makeLog } from "./log.ts";

it("a line is JSON with its level and event, the cause of an error in it", () => {
  const lines: string[] = [];
  const log = makeLog("info", (line) => lines.push(line));
  log("debug", "unseen");
  log("warn", "slow", { ms: 7 });
  log("error", "failed", { error: new Error("over", { cause: new Error("under") }) });
  expect(lines.map((line) => JSON.parse(line) as object)).toEqual([
    { level: "warn", event: "slow", ms: 7 },
    {
      ...{ level: "error", event: "failed" },
      error: expect.stringMatching(/Error: over[^]*caused by Error: under/u) as string,
    },
  ]);
});

it("a word that is no level counts as info", () => {
  const lines: string[] = [];
  makeLog("loud", (line) => lines.push(line))("debug", "unseen");
  makeLog("loud", (line) => lines.push(line))("info", "seen");
  expect(lines).toHaveLength(1);
});
