/** Samples of a broker at a steady pace. */
import { pause } from "./churn.ts";

export interface Timed<Sample> {
  readonly seconds: number;
  readonly sample: Sample;
}

export interface SamplingPlan<Sample> {
  readonly everyMs: number;
  readonly take: () => Promise<Sample>;
  /** Said once a minute. */
  readonly shown: (sample: Sample) => string;
  readonly failed: (reason: string) => void;
}

export interface Sampling<Sample> {
  readonly samples: readonly Timed<Sample>[];
  /** Resolves when the last one is taken. */
  stop(): Promise<void>;
}

export function startSampling<Sample>(plan: SamplingPlan<Sample>): Sampling<Sample> {
  const samples: Timed<Sample>[] = [];
  const stopping = { now: false };
  const startedAt = performance.now();
  const perMinute = Math.round(60_000 / plan.everyMs);
  const sampling = (async () => {
    for (let due = startedAt; !stopping.now; due += plan.everyMs) {
      await pause(Math.max(0, due - performance.now()));
      const seconds = (performance.now() - startedAt) / 1000;
      const sample = await plan.take();
      samples.push({ seconds, sample });
      if (samples.length % perMinute !== 1) continue;
      console.log(`${(seconds / 60).toFixed(1)} min: ${plan.shown(sample)}`);
    }
  })();
  sampling.catch((error: unknown) => plan.failed(`sampling: ${String(error)}`));
  const stop = async (): Promise<void> => {
    stopping.now = true;
    // Its failure was told above.
    await Promise.allSettled([sampling]);
  };
  return { samples, stop };
}
