/**
 * What brokers tell their log of themselves, as metrics and alarms. A broker tells of a signal only
 * while it is beyond what is usual (`millrace.signals.log.interval.ms`), so that metrics are billed for
 * what is not well. All brokers of a deployment are in one metric: the log names the one.
 */
import { Duration } from "aws-cdk-lib";
import { type AlarmProps, ComparisonOperator, Metric } from "aws-cdk-lib/aws-cloudwatch";
import { FilterPattern, type LogGroup, MetricFilter } from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";

export interface BrokerSignal {
  readonly alarm: string;
  readonly description: string;
  /** As the broker's log has it. */
  readonly name: string;
  readonly statistic: "Maximum" | "Minimum" | "Sum";
  readonly periodMinutes: number;
  /** At least one period, and how many of them must be beyond the threshold. */
  readonly periods: readonly [of: number, beyond: number];
  readonly beyond: { readonly above: number } | { readonly below: number };
}

const mebibyte = 2 ** 20;
/** Twice within three minutes: a line may fall into its neighbour's minute. */
const lasting = { statistic: "Maximum", periodMinutes: 1, periods: [3, 2] } as const;
const atOnce = { statistic: "Maximum", periodMinutes: 1, periods: [1, 1] } as const;
const tenMinutes = { statistic: "Maximum", periodMinutes: 5, periods: [2, 2] } as const;

/** In the order of docs/signals.md, which says what to do about each. */
export const brokerSignals: readonly BrokerSignal[] = [
  {
    ...{ alarm: "SlotsLost", name: "millrace_takeover_lost_slots", ...atOnce },
    description: "A dead broker's journal has lost acknowledged records: partitions are offline.",
    beyond: { above: 0 },
  },
  {
    ...{ alarm: "JournalUnusable", name: "millrace_journal_usable", ...lasting },
    description: "A broker's journal failed, and no new life began.",
    statistic: "Minimum",
    beyond: { below: 1 },
  },
  {
    ...{ alarm: "JournalFull", name: "millrace_journal_untrimmed_bytes", ...lasting },
    description: "Checkpoints do not keep up, or fail: at 256 MiB producers wait.",
    beyond: { above: 192 * mebibyte },
  },
  {
    ...{ alarm: "JournalOld", name: "millrace_journal_untrimmed_age_seconds", ...lasting },
    description: "Checkpoints fail: a takeover would have to read what is so old.",
    beyond: { above: 300 },
  },
  {
    ...{ alarm: "EvidenceOld", name: "millrace_evidence_age_seconds", ...lasting },
    description: "A broker's strong reads of its metadata fail.",
    beyond: { above: 7 },
  },
  {
    ...{ alarm: "BrokersFenced", name: "millrace_incarnations_fenced_total" },
    ...{ statistic: "Sum", periodMinutes: 60, periods: [1, 1] },
    description: "Brokers took each other for dead while they lived, again and again.",
    beyond: { above: 1 },
  },
  {
    ...{ alarm: "SlotsUnserved", name: "millrace_takeover_slots_opening", ...lasting },
    description: "Slots that nobody serves: a former owner's journal can't be closed or read.",
    beyond: { above: 0 },
  },
  {
    ...{ alarm: "SlotsUncopied", name: "millrace_takeover_slots_adopting", ...tenMinutes },
    description: "What former owners of slots left is not copied.",
    beyond: { above: 0 },
  },
  {
    ...{ alarm: "ClaimsRefused", name: "millrace_claims_refused_total", ...lasting },
    description: "Brokers take slots from each other: are there two of one node.id?",
    statistic: "Sum",
    beyond: { above: 60 },
  },
  {
    ...{ alarm: "BytesUntiered", name: "millrace_tier_untiered_bytes", ...lasting },
    description: "What was appended does not come into the object store.",
    beyond: { above: 1_024 * mebibyte },
  },
  {
    ...{ alarm: "OffsetsLost", name: "millrace_tier_lost_offsets_total", ...atOnce },
    description: "Records that neither a disk nor the object store gives back.",
    beyond: { above: 0 },
  },
];

/** Where the broker's line of JSON has a signal. */
export function signalSelector(name: string): string {
  return `$.signals.${name}`;
}

export function addBrokerSignals(
  scope: Construct,
  at: {
    readonly logGroup: LogGroup;
    readonly namespace: string;
    readonly alarm: (id: string, description: string, props: AlarmOfSignal) => void;
  },
): void {
  const { logGroup, namespace } = at;
  for (const signal of brokerSignals) {
    const { alarm, description, name, periodMinutes, periods, statistic } = signal;
    const selector = signalSelector(name);
    new MetricFilter(scope, `filter-${name}`, {
      logGroup,
      // A number that is there: no signal is below 0.
      filterPattern: FilterPattern.numberValue(selector, ">=", 0),
      metricNamespace: namespace,
      metricName: name,
      metricValue: selector,
    });
    const [evaluationPeriods, datapointsToAlarm] = periods;
    at.alarm(alarm, description, {
      metric: new Metric({
        ...{ namespace, metricName: name, statistic },
        period: Duration.minutes(periodMinutes),
      }),
      ...{ evaluationPeriods, datapointsToAlarm, ...thresholdOf(signal) },
    });
  }
}

type Threshold = Pick<AlarmProps, "threshold" | "comparisonOperator">;
type AlarmOfSignal = Pick<
  AlarmProps,
  "metric" | "evaluationPeriods" | "datapointsToAlarm" | "threshold" | "comparisonOperator"
>;

function thresholdOf({ beyond }: BrokerSignal): Threshold {
  return "above" in beyond
    ? {
        threshold: beyond.above,
        comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      }
    : {
        threshold: beyond.below,
        comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
      };
}
