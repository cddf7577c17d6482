/**
 * The comparison of two transcripts of one program: what it saw on Apache Kafka and what it saw on
 * Millrace. A transcript is a list of JSON lines, each with `at`, the scenario and step that it
 * belongs to. Lines with the same `at` are compared in their order. Any difference fails unless an
 * exception states exactly what each side says, and an exception that nothing used fails too: once
 * a difference is gone, its excuse has to go.
 */
import { isDeepStrictEqual } from "node:util";

export interface Exception {
  readonly program: string;
  readonly at: string;
  /** The line on Kafka without its `at`, or null where there is none. */
  readonly kafka: unknown;
  /** The same of Millrace. */
  readonly millrace: unknown;
  readonly reason: string;
}

export interface Difference {
  readonly at: string;
  readonly kafka: unknown;
  readonly millrace: unknown;
}

export interface Comparison {
  readonly compared: number;
  readonly differences: readonly Difference[];
  readonly used: readonly Exception[];
}

type Steps = ReadonlyMap<string, readonly unknown[]>;

/** What differs between runs by design: the run's topic prefix, and where the broker listens. */
export interface RunNames {
  readonly prefix: string;
  readonly port: number;
}

/**
 * Keeps the JSON lines of a program's output, with this run's names replaced. Throws on a line that
 * is no step.
 */
export function normalise(output: string, names: RunNames): readonly string[] {
  const lines = output.split("\n").filter((line) => line.trim() !== "");
  return lines.map((line) => {
    const plain = line
      .replaceAll(names.prefix, "~")
      .replaceAll(`127.0.0.1:${names.port}`, "127.0.0.1:PORT");
    stepOf(plain);
    return plain;
  });
}

function stepOf(line: string): { readonly at: string; readonly rest: unknown } {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new Error(`not a line of a transcript: ${line.slice(0, 200)}`, { cause: error });
  }
  if (
    typeof value !== "object" ||
    value === null ||
    !("at" in value) ||
    typeof value.at !== "string"
  ) {
    throw new Error(`a transcript's line without "at": ${line.slice(0, 200)}`);
  }
  const { at, ...rest } = value;
  return { at, rest };
}

function stepsOf(lines: readonly string[]): Steps {
  const steps = new Map<string, unknown[]>();
  for (const line of lines) {
    const { at, rest } = stepOf(line);
    steps.set(at, [...(steps.get(at) ?? []), rest]);
  }
  return steps;
}

/**
 * The scenarios that a transcript has lines of: what stands before the first slash of each `at`.
 */
export function scenariosOf(lines: readonly string[]): ReadonlySet<string> {
  return new Set(lines.map((line) => stepOf(line).at.split("/")[0] ?? ""));
}

function differencesBetween(kafka: Steps, millrace: Steps): readonly Difference[] {
  const differences: Difference[] = [];
  for (const at of new Set([...kafka.keys(), ...millrace.keys()])) {
    const [ours, theirs] = [millrace.get(at) ?? [], kafka.get(at) ?? []];
    for (let index = 0; index < Math.max(ours.length, theirs.length); index += 1) {
      const difference = { at, kafka: theirs[index] ?? null, millrace: ours[index] ?? null };
      if (!isDeepStrictEqual(difference.kafka, difference.millrace)) differences.push(difference);
    }
  }
  return differences;
}

function covers(exception: Exception, difference: Difference): boolean {
  return (
    exception.at === difference.at &&
    isDeepStrictEqual(exception.kafka, difference.kafka) &&
    isDeepStrictEqual(exception.millrace, difference.millrace)
  );
}

/** `exceptions` are those of this program. */
export function compareTranscripts(
  transcripts: { readonly kafka: readonly string[]; readonly millrace: readonly string[] },
  exceptions: readonly Exception[],
): Comparison {
  const all = differencesBetween(stepsOf(transcripts.kafka), stepsOf(transcripts.millrace));
  const used = new Set<Exception>();
  const differences = all.filter((difference) => {
    const exception = exceptions.find((candidate) => covers(candidate, difference));
    if (exception !== undefined) used.add(exception);
    return exception === undefined;
  });
  return { compared: transcripts.kafka.length, differences, used: [...used] };
}

/** The exceptions that a judged program could have used and did not, and those of no known program. */
export function staleExceptions(
  exceptions: readonly Exception[],
  used: ReadonlySet<Exception>,
  names: { readonly judged: readonly string[]; readonly known: readonly string[] },
): readonly Exception[] {
  return exceptions.filter(
    (exception) =>
      !used.has(exception) &&
      (names.judged.includes(exception.program) || !names.known.includes(exception.program)),
  );
}

/** Checks what exceptions.json holds. Throws on an entry that has no reason or names no step. */
export function parseExceptions(json: string): readonly Exception[] {
  const value: unknown = JSON.parse(json);
  if (!Array.isArray(value)) throw new Error("exceptions.json has to be an array");
  return value.map((entry: unknown, index) => {
    if (typeof entry !== "object" || entry === null)
      throw new Error(`exception ${index}: no object`);
    const fields = entry as Readonly<Record<string, unknown>>;
    const { program, at, reason } = fields;
    if (typeof program !== "string" || typeof at !== "string" || typeof reason !== "string") {
      throw new Error(`exception ${index}: program, at and reason are strings`);
    }
    if (reason.trim() === "")
      throw new Error(`exception ${index} (${program}, ${at}) has no reason`);
    return {
      program,
      at,
      reason,
      kafka: fields["kafka"] ?? null,
      millrace: fields["millrace"] ?? null,
    };
  });
}
