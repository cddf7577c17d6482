/**
 * End-to-end latency at a fixed rate, half of what the slower of the two brokers saturates at: the
 * same rate for both. Under `journal` it is that rate too, or half of its own saturation where that
 * is less.
 */
import { withBroker } from "../brokers.ts";
import { alternate, type Figure, type Row, type Subject } from "../figure.ts";
import { fixedRateTopic, halfOf, runAtRate, saturationOf } from "../fixed-rate.ts";
import { makeTopic, warmUp } from "../load.ts";
import { runAlone } from "../run-alone.ts";

const recordBytes = 1024;
const subjects: readonly Subject[] = ["kafka", "local", "journal"];

function rowOf(subject: "local" | "journal", measurement: string): Row {
  return {
    label: `end to end, acks=all, half of saturation, ${measurement}, \`${subject}\``,
    unit: "ms",
    ours: { subject, measurement },
    kafkas: measurement,
    aim: subject === "local" ? { kind: "ratio", max: 1 } : { kind: "reported" },
  };
}

export const latency: Figure = {
  name: "latency",
  method: ({ latencySeconds, latencyWarmUpSeconds }) =>
    "test/bench/java/FixedRate.java sends records of 1,024 B on a fixed schedule, acks=all, " +
    "linger.ms=0, else the client's defaults, 6 partitions, and reads them in the same process. " +
    "Latency counts from the time at which the schedule wanted the record sent (no coordinated " +
    "omission), and ends at the consumer. The rate is half of " +
    "what the slower of Kafka and `local` carries when the same program sends as fast as it goes; " +
    "`journal` gets that rate, or half of its own saturation where that is less. " +
    `After the broker's own warm-up, ${latencyWarmUpSeconds} s in which the rate grows to its full ` +
    `value and stays there; then ${latencySeconds} s are measured.`,
  rows: () => [
    ...["p50", "p99", "p99.9"].map((name) => rowOf("local", name)),
    ...["p50", "p99", "p99.9"].map((name) => rowOf("journal", name)),
  ],
  measure: async (bench) => {
    const load = { recordBytes, warmUpBytes: bench.scale.warmUpBytes };
    const kafka = await saturationOf(bench, "kafka", load);
    const local = await saturationOf(bench, "local", load);
    const journal = await saturationOf(bench, "journal", load);
    const shared = halfOf(Math.min(kafka, local));
    const rates = { kafka: shared, local: shared, journal: Math.min(shared, halfOf(journal)) };
    return alternate(bench, subjects, (subject) =>
      withBroker(bench, subject, async (broker) => {
        await warmUp(bench, broker);
        await makeTopic(broker, fixedRateTopic);
        const recordsPerSecond = rates[subject];
        const measuredSeconds = bench.scale.latencySeconds;
        const timing = { recordBytes, recordsPerSecond, measuredSeconds, lingerMs: 0 };
        const { p50, p99, p999 } = await runAtRate(bench, broker, timing);
        return { p50, p99, "p99.9": p999, "records a second": recordsPerSecond };
      }),
    );
  },
};

if (import.meta.main) await runAlone(latency);
