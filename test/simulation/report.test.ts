import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { added, noOutcome, type Outcome } from "./campaign.ts";
import { clusterHits } from "./cluster-hits.ts";
import { codeHash, codeOf } from "./code-hash.ts";
import { Report } from "./report.ts";

const of = { code: "a", command: "npm run simulate -- --events 9" };
const outcome: Outcome = {
  ...noOutcome,
  ...{ seeds: 10, events: 900, hits: [{ fault: "kill", step: "idle", hits: 3 }] },
};

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-report-"));
  path = join(folder, "simulation.json");
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("a report", () => {
  test("adds up the runs of one code, over several processes, and goes on after their seeds", () => {
    const first = new Report(path);
    first.add(of, { from: 1, seeds: 10 }, outcome);
    first.save();
    const second = new Report(path);
    expect(second.nextSeed(of)).toBe(11);
    const campaign = second.add(of, { from: 11, seeds: 10 }, outcome);
    expect(campaign.ranges).toEqual([{ from: 1, seeds: 20 }]);
    expect(campaign.outcome).toEqual(added(outcome, outcome));
    expect(campaign.outcome.hits).toEqual([{ fault: "kill", step: "idle", hits: 6 }]);
  });

  test("counts no seed twice", () => {
    const report = new Report(path);
    report.add(of, { from: 1, seeds: 10 }, outcome);
    expect(() => report.add(of, { from: 10, seeds: 1 }, outcome)).toThrow("run before");
  });

  test("keeps runs of other code, and of other options, apart", () => {
    const report = new Report(path);
    report.add(of, { from: 1, seeds: 10 }, outcome);
    expect(report.nextSeed({ ...of, code: "b" })).toBe(1);
    const newer = report.add({ ...of, code: "b" }, { from: 1, seeds: 10 }, outcome);
    expect(newer.outcome.events).toBe(900);
    const page = report.page(() => clusterHits);
    expect(page).toContain("Code `b`, seeds 1 to 10");
    expect(page).toContain("- `a`, `npm run simulate -- --events 9`: 10 seeds, 900 events");
    expect(page).toContain("| kill | idle | 3 |");
    expect(page).toContain("pause in transact head");
  });

  test("is written as it is read", () => {
    const report = new Report(path);
    report.add(of, { from: 1, seeds: 10 }, outcome);
    report.save();
    new Report(path).save();
    expect(JSON.parse(readFileSync(path, "utf8"))).toEqual([
      { ...of, ranges: [{ from: 1, seeds: 10 }], outcome },
    ]);
  });
});

describe("the code's hash", () => {
  test("is the same as long as the code is", async () => {
    const hash = await codeHash();
    expect(hash).toMatch(/^[0-9a-f]{16}$/u);
    expect(await codeHash()).toBe(hash);
  });

  test("is of what runs: not of comments, types and layout, nor of what nothing imports", async () => {
    writeFileSync(join(folder, "run.ts"), 'import { a } from "./a.ts";\nconsole.log(a);');
    const codeWith = (source: string): Promise<string> => {
      writeFileSync(join(folder, "a.ts"), source);
      return codeOf("run.ts", folder);
    };
    const code = await codeWith("export const a: number = 1;");
    expect(await codeWith("/** A number. */\nexport const a = 1; // one\n")).toBe(code);
    expect(await codeWith("interface B {}\nexport const a: B & 1\n = 1;")).toBe(code);
    expect(await codeWith("export const a = 2;")).not.toBe(code);
    expect(await codeWith('console.log("!");\nexport const a = 1;')).not.toBe(code);
    writeFileSync(join(folder, "b.ts"), "export const b = 1;");
    expect(await codeWith("export const a: number = 1;")).toBe(code);
  });
});
