/** What a soak with tiers looks at: the broker as any soak does, and where its data lies. */
import { join } from "node:path";
import { readMetrics } from "../bench/metrics.ts";
import { filesBelow, type Sample, takeSample, type Watched } from "./sample.ts";
import type { SoakStore } from "./tier-store.ts";

export interface TierSample extends Sample {
  readonly "local logs": number;
  readonly journal: number;
  readonly "cold segments": number;
  readonly packs: number;
  readonly objects: number;
}

const mebibyte = 1024 * 1024;

export async function takeTierSample(watched: Watched, store: SoakStore): Promise<TierSample> {
  const sample = await takeSample(watched);
  const { objects, packBytes, segmentBytes } = await store.stored();
  const below = (name: string): number =>
    filesBelow(join(watched.dataDirectory, name)).bytes / mebibyte;
  return {
    ...sample,
    "local logs": below("partitions"),
    journal: below("journal"),
    "cold segments": segmentBytes / mebibyte,
    packs: packBytes / mebibyte,
    objects,
  };
}

/** Counters of what the tiers did, as far as the broker tells. */
export async function tierCounters(
  watched: Watched,
): Promise<readonly (readonly [what: string, count: number])[]> {
  const metrics = [...(await readMetrics(watched.httpPort))];
  return metrics.filter(([name, value]) => counted.test(name) && value > 0);
}

const counted = /^millrace_(object|tier|cold|checkpoint|retention)\w*_(total|count)\b/u;
