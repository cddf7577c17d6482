import type { Mutation } from "./mutations.ts";
import {
  apply,
  type Event,
  type Found,
  type Size,
  startedWorld,
  stepNames,
  steps,
} from "./events.ts";
import { Violation } from "./world.ts";

export interface WalkOptions {
  readonly size: Size;
  readonly seed: number;
  /** Taken ones; a step that cannot be taken is none. */
  readonly events: number;
  readonly mutation?: Mutation | undefined;
}

/** One random walk. Same seed, same walk. */
export function walk({ size, seed, events, mutation }: WalkOptions): {
  readonly found: Found | undefined;
  readonly taken: Readonly<Record<string, number>>;
  readonly acknowledged: number;
} {
  const random = randomOf(seed);
  const below = (most: number): number => Math.floor(random() * most);
  const world = startedWorld(size);
  const trace: Event[] = [];
  const taken: Record<string, number> = {};
  const paused = new Map<number, number>();
  for (let n = 0; n < events * triesMax && trace.length < events; n += 1) {
    const at = below(size.brokers);
    if (random() < 0.004) paused.set(at, n + 30 + below(200));
    const name = drawn(random());
    const isOfStore = name === "land" || name === "bury";
    if (!isOfStore && (paused.get(at) ?? 0) > n) continue;
    const choice = name === "land" ? below(Math.max(1, world.net.length)) : below(8);
    const event: Event = [name, at, below(size.slots), choice];
    try {
      if (!apply(world, event, mutation)) continue;
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      return {
        found: { message: error.message, trace: [...trace, event] },
        taken,
        acknowledged: 0,
      };
    }
    trace.push(event);
    taken[name] = (taken[name] ?? 0) + 1;
  }
  const acknowledged = world.acked.flat().filter((value) => value !== null).length;
  return { found: undefined, taken, acknowledged };
}

/** For each event, until the walk ends where it is. */
const triesMax = 50;
const weightOfAll = stepNames.reduce((sum, name) => sum + (steps[name]?.weight ?? 0), 0);

function drawn(random: number): string {
  let left = random * weightOfAll;
  for (const name of stepNames) {
    left -= steps[name]?.weight ?? 0;
    if (left < 0) return name;
  }
  return "take";
}

/** mulberry32 */
function randomOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
