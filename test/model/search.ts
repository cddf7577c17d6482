import type { Mutation } from "./mutations.ts";
import { apply, type Event, type Found, type Size, startedWorld } from "./events.ts";
import { type Counted, stateOf, Violation, type World } from "./world.ts";

export interface SearchOptions {
  readonly size: Size;
  readonly depth: number;
  readonly statesMax: number;
  readonly bounds: Readonly<Record<Counted, number>>;
  readonly mutation?: Mutation | undefined;
}

export interface Searched {
  readonly states: number;
  /** The depth up to which every state was seen. */
  readonly depth: number;
  readonly isWhole: boolean;
  readonly found: Found | undefined;
}

/** Breadth first over every state that a bounded number of events reaches. */
export function search(options: SearchOptions): Searched {
  const first = { state: stateOf(startedWorld(options.size)), trace: undefined };
  const seen = new Set<number>([hashOf(first.state)]);
  let level: readonly Reached[] = [first];
  for (let depth = 0; depth < options.depth; depth += 1) {
    const { found, next } = levelAfter(level, seen, options);
    const isEnough = seen.size >= options.statesMax;
    if (found !== undefined || isEnough) return { states: seen.size, depth, isWhole: false, found };
    if (next.length === 0) return { states: seen.size, depth, isWhole: true, found };
    level = next;
  }
  return { states: seen.size, depth: options.depth, isWhole: false, found: undefined };
}

function levelAfter(
  level: readonly Reached[],
  seen: Set<number>,
  options: SearchOptions,
): { readonly found: Found | undefined; readonly next: readonly Reached[] } {
  const events = allEvents(options.size);
  const next: Reached[] = [];
  for (const reached of level) {
    for (const one of following(reached, { events, options })) {
      if ("message" in one) return { found: one, next };
      const hash = hashOf(one.state);
      if (!seen.has(hash)) next.push(one);
      seen.add(hash);
    }
    if (seen.size >= options.statesMax) break;
  }
  return { found: undefined, next };
}

interface Reached {
  readonly state: string;
  readonly trace: Trace | undefined;
}

/** What one event more reaches, within the bounds; the last may be a violation. */
function* following(
  { state, trace }: Reached,
  by: { readonly events: readonly Event[]; readonly options: SearchOptions },
): Generator<Reached | Found> {
  let world = JSON.parse(state) as World;
  for (const event of by.events) {
    const outcome = attempt(world, event, by.options);
    if (outcome === "not taken") continue;
    const path: Trace = { event, before: trace };
    if (typeof outcome === "object") {
      yield { message: outcome.message, trace: eventsOf(path) };
      return;
    }
    if (outcome === "taken") yield { state: stateOf(world), trace: path };
    world = JSON.parse(state) as World;
  }
}

interface Trace {
  readonly event: Event;
  readonly before: Trace | undefined;
}

function eventsOf(path: Trace): readonly Event[] {
  const events: Event[] = [];
  for (let at: Trace | undefined = path; at !== undefined; at = at.before) events.push(at.event);
  return events.toReversed();
}

function attempt(
  world: World,
  event: Event,
  { bounds, mutation }: SearchOptions,
): "taken" | "not taken" | "out of bounds" | Violation {
  try {
    if (!apply(world, event, mutation)) return "not taken";
  } catch (error) {
    if (error instanceof Violation) return error;
    throw error;
  }
  for (const counted of Object.keys(bounds) as Counted[]) {
    if (world.counts[counted] > bounds[counted]) return "out of bounds";
  }
  return "taken";
}

/** Each step with each broker and slot; those that choose something else have fewer. */
function allEvents({ brokers, slots }: Size): readonly Event[] {
  const events: Event[] = [];
  for (let broker = 0; broker < brokers; broker += 1) {
    for (const name of [
      "acknowledge",
      "checkpoint",
      "go on with a checkpoint",
      "leave",
      "crash",
      "restart",
    ]) {
      events.push([name, broker, 0, 0]);
    }
    for (let slot = 0; slot < slots; slot += 1) {
      for (const name of ["append", "drop", "take", "suspect", "forget"]) {
        events.push([name, broker, slot, 0]);
      }
      for (let to = 0; to < brokers; to += 1) events.push(["move", broker, slot, to]);
    }
  }
  for (let at = 0; at < 4; at += 1) events.push(["land", 0, 0, at]);
  for (let at = 0; at < 3; at += 1) events.push(["bury", 0, 0, at]);
  return events;
}

/** 53 bits: among a million states two are alike by chance once in ten thousand searches. */
function hashOf(text: string): number {
  let [high, low] = [0xdeadbeef, 0x41c6ce57];
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    high = Math.imul(high ^ unit, 2654435761);
    low = Math.imul(low ^ unit, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return 4294967296 * (2097151 & low) + (high >>> 0);
}
