/** The rate for latencies: half of what a broker carries. */
import { type Broker, withBroker } from "./brokers.ts";
import type { Bench, Subject } from "./figure.ts";
import { type FixedRateResult, runFixedRate } from "./java-programs.ts";
import { makeTopic, topicPartitions, warmUp } from "./load.ts";

export const fixedRateTopic = "fixed-rate";

export interface Timing {
  readonly recordBytes: number;
  readonly recordsPerSecond: number;
  readonly measuredSeconds: number;
  readonly lingerMs: number;
}

/** Into `fixedRateTopic`, which exists. */
export function runAtRate(bench: Bench, broker: Broker, timing: Timing): Promise<FixedRateResult> {
  const { latencyWarmUpSeconds: warmUpSeconds } = bench.scale;
  const load = { topic: fixedRateTopic, partitionCount: topicPartitions };
  return runFixedRate(bench, broker, { ...load, warmUpSeconds, ...timing });
}

/** Records a second of this size that the broker carries. */
export function saturationOf(
  bench: Bench,
  subject: Subject,
  load: { readonly recordBytes: number; readonly warmUpBytes: number },
): Promise<number> {
  const { recordBytes, warmUpBytes } = load;
  return withBroker(bench, subject, async (broker) => {
    await warmUp(bench, broker, warmUpBytes);
    await makeTopic(broker, fixedRateTopic);
    const measuredSeconds = bench.scale.saturationSeconds;
    const timing = { recordBytes, recordsPerSecond: 0, measuredSeconds, lingerMs: 0 };
    const { arrivedPerSecond } = await runAtRate(bench, broker, timing);
    bench.say(`  saturation of ${subject}: ${arrivedPerSecond} records a second`);
    return arrivedPerSecond;
  });
}

export function halfOf(recordsPerSecond: number): number {
  return Math.floor(recordsPerSecond / 2 / 100) * 100;
}
