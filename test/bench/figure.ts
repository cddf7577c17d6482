/**
 * What a figure of the bench is: rows of the table, and how they are measured. The brokers are
 * Apache Kafka ("kafka") and Millrace under two policies of durability ("local", "journal").
 */
import type { Scale } from "./scale.ts";

export type Subject = "kafka" | "local" | "journal";

/** `×` is a ratio of two measurements of one subject, taken in the same run. */
export type Unit = "CPU s/GB" | "s" | "ms" | "MB" | "KB" | "MB/s" | "records/s" | "×";

/** Values by the name that a row asks for, in the row's unit. */
export type Measurements = Readonly<Record<string, number>>;

export interface Sample {
  readonly subject: Subject;
  /** From 1. */
  readonly run: number;
  readonly values: Measurements;
}

export type Aim =
  /** Our median is at most so many times Kafka's. */
  | { readonly kind: "ratio"; readonly max: number }
  /** Our median is below so much, in the row's unit. */
  | { readonly kind: "absolute"; readonly max: number }
  /** Our median is at most so much, in the row's unit. */
  | { readonly kind: "most"; readonly max: number }
  /** Our median is at least so much, in the row's unit. */
  | { readonly kind: "least"; readonly min: number }
  | { readonly kind: "reported" };

export interface Row {
  readonly label: string;
  readonly unit: Unit;
  readonly ours: { readonly subject: "local" | "journal"; readonly measurement: string };
  /** The measurement of Kafka that it stands beside; undefined where there is none. */
  readonly kafkas: string | undefined;
  readonly aim: Aim;
}

export interface Bench {
  readonly repository: string;
  /** Kafka's jars and a formatted log directory (see test/compat/peer.ts). */
  readonly kafkaDirectory: string;
  /** Compiled load programs of test/bench/java. */
  readonly javaClasses: string;
  /** A directory that the bench removes when it is done. */
  readonly scratch: string;
  /** Where Millrace leaves CPU profiles when it ends; undefined for none. */
  readonly profiles: string | undefined;
  readonly runs: number;
  readonly scale: Scale;
  readonly say: (line: string) => void;
}

export interface Figure {
  /** Also the name of its script in figures/. */
  readonly name: string;
  /** How it is measured, as Markdown: what a reader needs to judge it. */
  readonly method: (scale: Scale) => string;
  readonly rows: (scale: Scale) => readonly Row[];
  readonly measure: (bench: Bench) => Promise<readonly Sample[]>;
}

/**
 * Measures every subject once in each run. Who goes first alternates, so that neither always gets
 * the machine as the other left it.
 */
export async function alternate(
  bench: Bench,
  subjects: readonly Subject[],
  measureOne: (subject: Subject, run: number) => Promise<Measurements>,
): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  for (let run = 1; run <= bench.runs; run += 1) {
    for (const subject of run % 2 === 1 ? subjects : subjects.toReversed()) {
      const values = await measureOne(subject, run);
      samples.push({ subject, run, values });
      const shown = Object.entries(values).map(([name, value]) => `${name} ${value.toFixed(3)}`);
      bench.say(`  run ${run} ${subject.padEnd(7)} ${shown.join(", ")}`);
    }
  }
  return samples;
}
