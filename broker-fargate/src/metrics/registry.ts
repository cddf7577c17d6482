import { assert } from "@millrace/core";
import { metricSeriesMax } from "../limits.ts";
import { Counter, Gauge, Histogram, type Labels } from "./series.ts";

/**
 * The process's metrics. Series are made once, when their owner is, and then updated without any
 * look-up; asking again for the same name and labels gives the same series. `exposition` writes
 * them as Prometheus text, format 0.0.4.
 *
 * Names and help are ours and asserted. The number of series is bounded: past `metricSeriesMax` a
 * caller gets a series that works but is not exposed, and `millrace_metric_series_refused_total`
 * counts it. So labels may come from topics and groups, but never directly from clients.
 */
export class Metrics {
  private readonly families = new Map<string, Family>();
  private series = 0;
  private readonly refused: Counter;

  constructor() {
    this.refused = this.counter(
      "millrace_metric_series_refused_total",
      "Metric series refused because there were too many.",
    );
  }

  counter(name: string, help: string, labels: Labels = {}): Counter {
    const family = this.family({ kind: "counter", name, help });
    const key = labelText(labels);
    const known = family.members.get(key);
    if (known instanceof Counter) return known;
    return this.admit(family, key, new Counter());
  }

  gauge(name: string, help: string, labels: Labels = {}): Gauge {
    const family = this.family({ kind: "gauge", name, help });
    const key = labelText(labels);
    const known = family.members.get(key);
    if (known instanceof Gauge) return known;
    return this.admit(family, key, new Gauge());
  }

  /** The bounds ascend; a value at a bound belongs to it. */
  histogram(name: string, help: string, bounds: readonly number[], labels: Labels = {}): Histogram {
    const family = this.family({ kind: "histogram", name, help });
    const key = labelText(labels);
    const known = family.members.get(key);
    if (known instanceof Histogram) return known;
    return this.admit(family, key, new Histogram(bounds));
  }

  /** A family whose samples are read when somebody looks: for sizes that something else knows. */
  observe(description: FamilyDescription, read: () => number | Iterable<Sample>): void {
    const family = this.family(description);
    assert(family.observed === undefined, `${description.name} is observed twice`);
    family.observed = read;
  }

  /** Takes a series back, as when its topic is deleted. No effect when there is none. */
  remove(name: string, labels: Labels): void {
    if (this.families.get(name)?.members.delete(labelText(labels))) this.series -= 1;
  }

  /** What a counter or gauge shows now, by the text of its labels, as `stage="opening"`. */
  readings(name: string): ReadonlyMap<string, number> {
    const found = new Map<string, number>();
    const family = this.families.get(name);
    for (const [labels, series] of family?.members ?? []) {
      if (!(series instanceof Histogram)) found.set(labels, series.value);
    }
    const samples = family?.observed?.() ?? [];
    if (typeof samples === "number") return found.set("", samples);
    for (const { labels, value } of samples) found.set(labelText(labels), value);
    return found;
  }

  exposition(): string {
    const lines: string[] = [];
    for (const family of this.families.values()) writeFamily(family, lines);
    return `${lines.join("\n")}\n`;
  }

  private family({ kind, name, help }: FamilyDescription): Family {
    const known = this.families.get(name);
    if (known !== undefined) {
      assert(known.kind === kind, `${name} is a ${known.kind}, not a ${kind}`);
      return known;
    }
    assert(namePattern.test(name), `not a metric name: ${name}`);
    const family: Family = { kind, name, help, members: new Map(), observed: undefined };
    this.families.set(name, family);
    return family;
  }

  private admit<Series extends Counter | Gauge | Histogram>(
    family: Family,
    key: string,
    series: Series,
  ): Series {
    if (this.series >= metricSeriesMax) {
      this.refused.add();
      return series;
    }
    this.series += 1;
    family.members.set(key, series);
    return series;
  }
}

export interface FamilyDescription {
  readonly kind: "counter" | "gauge" | "histogram";
  readonly name: string;
  readonly help: string;
}

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

interface Family extends FamilyDescription {
  /** By the text of their labels. */
  readonly members: Map<string, Counter | Gauge | Histogram>;
  observed: (() => number | Iterable<Sample>) | undefined;
}

const namePattern = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const labelNamePattern = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

function writeFamily(family: Family, lines: string[]): void {
  const { name, members, observed } = family;
  if (members.size === 0 && observed === undefined) return;
  lines.push(`# HELP ${name} ${escapeHelp(family.help)}`, `# TYPE ${name} ${family.kind}`);
  for (const [labels, series] of members) {
    if (series instanceof Histogram) writeHistogram(name, labels, series, lines);
    else lines.push(`${name}${braced(labels)} ${numberText(series.value)}`);
  }
  if (observed === undefined) return;
  const samples = observed();
  if (typeof samples === "number") {
    lines.push(`${name} ${numberText(samples)}`);
    return;
  }
  for (const { labels, value } of samples) {
    lines.push(`${name}${braced(labelText(labels))} ${numberText(value)}`);
  }
}

function writeHistogram(name: string, labels: string, series: Histogram, lines: string[]): void {
  const cumulative = series.cumulative();
  const prefix = labels === "" ? "" : `${labels},`;
  cumulative.forEach((count, index) => {
    const bound = series.bounds[index];
    const le = bound === undefined ? "+Inf" : numberText(bound);
    lines.push(`${name}_bucket{${prefix}le="${le}"} ${count}`);
  });
  lines.push(`${name}_sum${braced(labels)} ${numberText(series.sum)}`);
  lines.push(`${name}_count${braced(labels)} ${cumulative.at(-1) ?? 0}`);
}

/** Sorted by name, so that the same labels are the same text. */
function labelText(labels: Labels): string {
  return Object.entries(labels)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, value]) => {
      assert(labelNamePattern.test(name), `not a label name: ${name}`);
      return `${name}="${escapeLabel(value)}"`;
    })
    .join(",");
}

function braced(labels: string): string {
  return labels === "" ? "" : `{${labels}}`;
}

function escapeLabel(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  return String(value);
}
