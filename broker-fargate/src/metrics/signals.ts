/**
 * The metrics to be woken for, and from where on each is beyond what is usual of a broker that is well.
 * docs/signals.md says what they mean; `infra` makes alarms of what the log tells of them.
 */
import type { Metrics } from "./registry.ts";

export interface Signal {
  /** In the log: the metric's name, and its label's value behind it. */
  readonly name: string;
  readonly metric: string;
  /** As `Metrics.readings` has them. */
  readonly labels: string;
  /** The value, or by how much it rose since the last look. */
  readonly told: "value" | "rise";
  readonly usual: { readonly atMost: number } | { readonly atLeast: number };
}

const mebibyte = 2 ** 20;

function signal(
  metric: string,
  usual: Signal["usual"],
  more: Partial<Pick<Signal, "name" | "labels" | "told">> = {},
): Signal {
  return { ...{ name: metric, metric, labels: "", told: "value", usual }, ...more };
}

const stage = (name: "opening" | "adopting"): Pick<Signal, "name" | "labels"> => {
  return { name: `millrace_takeover_slots_${name}`, labels: `stage="${name}"` };
};

export const signals: readonly Signal[] = [
  signal("millrace_takeover_lost_slots", { atMost: 0 }),
  signal("millrace_journal_usable", { atLeast: 1 }),
  signal("millrace_journal_untrimmed_bytes", { atMost: 128 * mebibyte }),
  signal("millrace_journal_untrimmed_age_seconds", { atMost: 180 }),
  // A broker that is alone in its cluster reads every 5 s.
  signal("millrace_evidence_age_seconds", { atMost: 7 }),
  signal("millrace_incarnations_fenced_total", { atMost: 0 }, { told: "rise" }),
  signal("millrace_takeover_slots", { atMost: 0 }, stage("opening")),
  signal("millrace_takeover_slots", { atMost: 0 }, stage("adopting")),
  signal("millrace_claims_refused_total", { atMost: 0 }, { told: "rise" }),
  signal("millrace_tier_untiered_bytes", { atMost: 512 * mebibyte }),
  signal("millrace_tier_lost_offsets_total", { atMost: 0 }),
];

/** What a look finds: by the signals' names. */
export type Found = Readonly<Record<string, number>>;

/** Looks from time to time, and remembers for those that rise. */
export class SignalLooks {
  readonly #former = new Map<string, number>();

  /** The signals that are beyond what is usual. A metric that this broker has not is none. */
  look(metrics: Pick<Metrics, "readings">): Found {
    const found: [string, number][] = [];
    for (const each of signals) {
      const value = metrics.readings(each.metric).get(each.labels);
      if (value === undefined) continue;
      const told = each.told === "rise" ? this.#rise(each.name, value) : value;
      if (!isUsual(each, told)) found.push([each.name, told]);
    }
    return Object.fromEntries(found);
  }

  /** From 0 on, as a counter begins; a lower one has begun again. */
  #rise(name: string, value: number): number {
    const former = this.#former.get(name) ?? 0;
    this.#former.set(name, value);
    return value < former ? value : value - former;
  }
}

function isUsual({ usual }: Signal, value: number): boolean {
  return "atMost" in usual ? value <= usual.atMost : value >= usual.atLeast;
}
