/**
 * The compatibility lane: `node test/compat/run.ts [--only java,go] [--against
 * both|millrace|kafka|kafka-twice] [--write-docs]`.
 *
 * Starts Millrace and Apache Kafka 4.3.1 on free ports, runs every client program against both, and
 * compares their transcripts. A program fails when its client can't be installed, when it ends with
 * an error or takes too long, when it does not show its scenarios, when a codec was not stored as
 * promised, and on every difference that exceptions.json does not state; an exception that nothing
 * used fails as well. `kafka-twice` compares Kafka with itself, which shows whether the lane is
 * steady. Transcripts are kept in .cache/compat/transcripts.
 */
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  compareTranscripts,
  type Difference,
  type Exception,
  normalise,
  parseExceptions,
  scenariosOf,
  staleExceptions,
} from "./compare.ts";
import { renderConformance } from "./conformance.ts";
import { killEverythingStarted, runToEnd } from "./processes.ts";
import { type Program, PROGRAMS, type Runnable } from "./programs.ts";
import { storedCodecs } from "./stored-codec.ts";
import { startTarget, type Target, type TargetKind } from "./targets.ts";

const REPOSITORY = join(import.meta.dirname, "../..");
const CACHE = join(REPOSITORY, ".cache/compat");
const TRANSCRIPTS = join(CACHE, "transcripts");
const PROGRAM_MS_MAX = 180_000;
const DIFFERENCES_SHOWN_MAX = 60;

/** The brokers of a run: the reference first, then the subject, where there are two. */
const AGAINST: Readonly<Record<string, readonly TargetKind[]>> = {
  both: ["kafka", "millrace"],
  kafka: ["kafka"],
  millrace: ["millrace"],
  "kafka-twice": ["kafka", "kafka"],
};

interface ProgramRun {
  readonly transcript: readonly string[];
  readonly problems: readonly string[];
  readonly durationMs: number;
}

interface Verdict {
  readonly problems: readonly string[];
  readonly used: readonly Exception[];
  readonly summary: string;
}

async function runProgram(
  program: Program,
  runnable: Runnable,
  target: Target,
  name: string,
): Promise<ProgramRun> {
  const prefix = `t${randomBytes(3).toString("hex")}-`;
  const args = [...runnable.args, `127.0.0.1:${target.port}`, prefix];
  const finished = await runToEnd({ ...runnable, args }, PROGRAM_MS_MAX);
  const problems: string[] = [];
  if (finished.timedOut) problems.push(`${name}: killed after ${PROGRAM_MS_MAX} ms`);
  else if (finished.exitCode !== 0) problems.push(`${name}: exit ${finished.exitCode}`);
  if (problems.length > 0) problems.push(finished.stderr.trim().slice(-3_000));
  let transcript: readonly string[] = [];
  try {
    const stored = await storedCodecs(target.port, prefix);
    const output = `${finished.stdout}\n${stored.lines.join("\n")}`;
    transcript = normalise(output, { prefix, port: target.port });
    problems.push(...stored.wrong.map((topic) => `${name}: stored in another codec: ${topic}`));
  } catch (error) {
    problems.push(`${name}: ${String(error)}`);
  }
  problems.push(...wrongScenarios(program, transcript).map((problem) => `${name}: ${problem}`));
  await writeFile(join(TRANSCRIPTS, `${program.name}.${name}.jsonl`), `${transcript.join("\n")}\n`);
  await writeFile(join(TRANSCRIPTS, `${program.name}.${name}.stderr`), finished.stderr);
  return { transcript, problems, durationMs: finished.durationMs };
}

function wrongScenarios(program: Program, transcript: readonly string[]): readonly string[] {
  const shown = scenariosOf(transcript);
  const missing = program.scenarios.filter((scenario) => !shown.has(scenario));
  const unexpected = [...shown].filter((scenario) => !program.scenarios.includes(scenario));
  return [
    ...missing.map((scenario) => `shows nothing of ${scenario}`),
    ...unexpected.map((scenario) => `shows ${scenario}, which programs.ts does not list`),
  ];
}

function describeDifference({ at, kafka, millrace }: Difference): string {
  return `${at}\n      kafka    ${JSON.stringify(kafka)}\n      millrace ${JSON.stringify(millrace)}`;
}

async function judge(
  program: Program,
  targets: readonly Target[],
  exceptions: readonly Exception[],
): Promise<Verdict> {
  const runnable = await program.install(CACHE);
  const names = targets.map(({ kind }, index) =>
    targets[0]?.kind === kind && index > 0 ? `${kind}-2` : kind,
  );
  const runs = await Promise.all(
    targets.map((target, index) =>
      runProgram(program, runnable, target, names[index] ?? target.kind),
    ),
  );
  const problems = runs.flatMap((run) => run.problems);
  const seconds = runs.map(({ durationMs }) => `${(durationMs / 1000).toFixed(1)} s`).join(" and ");
  const [kafka, millrace] = runs;
  if (kafka === undefined || millrace === undefined) {
    return {
      problems,
      used: [],
      summary: `${kafka?.transcript.length ?? 0} lines, not compared, ${seconds}`,
    };
  }
  const transcripts = { kafka: kafka.transcript, millrace: millrace.transcript };
  const { compared, differences, used } = compareTranscripts(transcripts, exceptions);
  problems.push(...differences.slice(0, DIFFERENCES_SHOWN_MAX).map(describeDifference));
  const hidden = differences.length - DIFFERENCES_SHOWN_MAX;
  if (hidden > 0) problems.push(`and ${hidden} differences more`);
  const excused = used.length === 0 ? "" : `, ${used.length} excepted`;
  return {
    problems,
    used,
    summary: `${compared} lines${excused}, ${differences.length} differ, ${seconds}`,
  };
}

function report(ok: boolean, name: string, text: string): void {
  console.log(`${ok ? "ok  " : "FAIL"} ${name.padEnd(13)} ${text}`);
}

async function runLane(
  programs: readonly Program[],
  kinds: readonly TargetKind[],
): Promise<number> {
  const exceptions = parseExceptions(
    await readFile(join(import.meta.dirname, "exceptions.json"), "utf8"),
  );
  await mkdir(TRANSCRIPTS, { recursive: true });
  const scratch = await mkdtemp(join(tmpdir(), "millrace-compat-"));
  const paths = { repository: REPOSITORY, cache: CACHE, scratch };
  const targets = await Promise.all(
    kinds.map((kind, index) => startTarget(kind, paths, `${kind}-${index}`)),
  );
  const used = new Set<Exception>();
  let failed = 0;
  try {
    for (const program of programs) {
      const ours = exceptions.filter((exception) => exception.program === program.name);
      const verdict = await judge(program, targets, kinds.includes("millrace") ? ours : []).catch(
        (error: unknown): Verdict => ({
          problems: [String(error)],
          used: [],
          summary: "did not run",
        }),
      );
      for (const exception of verdict.used) used.add(exception);
      report(verdict.problems.length === 0, program.name, verdict.summary);
      for (const problem of verdict.problems) console.log(`    ${problem}`);
      if (verdict.problems.length > 0) failed += 1;
    }
  } finally {
    await Promise.all(targets.map(({ server }) => server.stop()));
    await rm(scratch, { recursive: true, force: true });
  }
  const compared = kinds.includes("kafka") && kinds.includes("millrace");
  const names = {
    judged: programs.map(({ name }) => name),
    known: PROGRAMS.map(({ name }) => name),
  };
  const stale = compared ? staleExceptions(exceptions, used, names) : [];
  for (const { program, at } of stale) console.log(`FAIL stale exception: ${program}, ${at}`);
  const checks = programs.length + (stale.length > 0 ? 1 : 0);
  failed += stale.length > 0 ? 1 : 0;
  console.log(`${checks - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

function chosenPrograms(only: string | undefined): readonly Program[] {
  if (only === undefined) return PROGRAMS;
  return only.split(",").map((name) => {
    const program = PROGRAMS.find((candidate) => candidate.name === name);
    if (program === undefined)
      throw new Error(`no program ${name}: ${PROGRAMS.map((known) => known.name).join(", ")}`);
    return program;
  });
}

async function writeDocs(): Promise<number> {
  const file = join(REPOSITORY, "docs/conformance.md");
  const exceptions = parseExceptions(
    await readFile(join(import.meta.dirname, "exceptions.json"), "utf8"),
  );
  await writeFile(file, renderConformance(await readFile(file, "utf8"), exceptions));
  console.log("wrote docs/conformance.md");
  return 0;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    killEverythingStarted();
    process.exit(1);
  });
}

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    against: { type: "string", default: "both" },
    "write-docs": { type: "boolean", default: false },
  },
});
const kinds = AGAINST[values.against];
if (kinds === undefined) throw new Error(`--against is one of ${Object.keys(AGAINST).join(", ")}`);
process.exitCode = values["write-docs"]
  ? await writeDocs()
  : await runLane(chosenPrograms(values.only), kinds);
