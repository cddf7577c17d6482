/**
 * The example that a user would copy goes the whole way, from a control plane that makes a cluster to
 * the answer of a group, and leaves nothing behind.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Command, runToEnd } from "../compat/processes.ts";
import { answers } from "./expected-answers.ts";

const root = join(import.meta.dirname, "../..");
const exampleMsMax = 110_000;

/** Straight from the file, without the example's own code. */
function dearest(): readonly string[] {
  const file = join(root, "node_modules/vega-datasets/data/birdstrikes.csv");
  const [head = "", ...rows] = readFileSync(file, "utf8").trim().split("\n");
  const names = head.trim().split(",");
  const costs = rows.map((row) => {
    const cells = row.trim().split(",");
    const cell = (name: string): string => cells[names.indexOf(name)] ?? "";
    return { species: cell("Wildlife Species"), cost: Number(cell("Cost Total $")) };
  });
  const bySpecies = Object.entries(Object.groupBy(costs, ({ species }) => species));
  return bySpecies
    .map(([species, all = []]) => {
      const sum = all.reduce((total, { cost }) => total + cost, 0);
      return { sum, line: `${species}: $${sum.toLocaleString("en-US")} in ${all.length} strikes` };
    })
    .sort((one, other) => other.sum - one.sum)
    .slice(0, 5)
    .map(({ line }) => line);
}

/** Command lines that name the folder, as those of brokers name their directories. */
function processesOf(folder: string): readonly string[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/u.test(name));
  return pids.map(commandLine).filter((line) => line.includes(folder));
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH") return "";
    throw error;
  }
}

/** `node` with the example, in a folder that takes all that it writes elsewhere than to its streams. */
function commandIn(folder: string): Command {
  const fromSource = ["--import", join(root, "test/fixtures/sdk-from-source.ts")];
  return {
    file: process.execPath,
    args: [...fromSource, join(root, "examples/typed-pipeline/src/main.ts")],
    cwd: folder,
    env: { TMPDIR: folder },
  };
}

async function inNewFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "mtp-"));
  try {
    await use(folder);
    expect(readdirSync(folder)).toEqual([]);
    expect(processesOf(folder)).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("the typed pipeline makes a cluster, answers as the file does, and leaves nothing", () =>
  inNewFolder(async (folder) => {
    const run = await runToEnd(commandIn(folder), exampleMsMax);
    expect(run.stderr).toBe("");
    expect(run.exitCode).toBe(0);
    expect(answers(run.stdout)).toEqual(dearest());
    expect(run.stdout).toMatch(/cluster \S+ is deleted\n$/u);
  }));

test("the typed pipeline deletes its cluster when it is interrupted, and leaves nothing", () =>
  inNewFolder(async (folder) => {
    const { args, cwd, env, file } = commandIn(folder);
    const child = spawn(file, args, { cwd, env: { ...process.env, ...env } });
    let said = "";
    let complaints = "";
    child.stdout.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (said.endsWith("is active\n")) child.kill("SIGINT");
    });
    child.stderr.on("data", (chunk: Buffer) => {
      complaints += chunk.toString();
    });
    const [exitCode] = (await once(child, "close")) as [number | null];
    expect(exitCode).toBe(1);
    expect(said).toMatch(/is active\ncluster \S+ is deleted\n$/u);
    expect(complaints).toContain("Error: interrupted");
  }));
