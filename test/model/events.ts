import { AssertionError } from "@millrace/core";
import {
  acknowledge,
  append,
  bury,
  crash,
  dropSources,
  goOnWithCheckpoint,
  land,
  leave,
  move,
  restart,
  writeCheckpoint,
} from "./owner-steps.ts";
import type { Actor } from "./owner-steps.ts";
import type { Mutation } from "./mutations.ts";
import { forget, replace, suspect, take } from "./taker-steps.ts";
import { checkWorld, newWorld, Violation, type World } from "./world.ts";

type Step = (actor: Actor) => boolean;

/** With what a random walk weighs them. */
export const steps: Readonly<Record<string, { readonly step: Step; readonly weight: number }>> = {
  append: { step: append, weight: 6 },
  land: { step: land, weight: 8 },
  acknowledge: { step: acknowledge, weight: 8 },
  checkpoint: { step: writeCheckpoint, weight: 2 },
  "go on with a checkpoint": { step: goOnWithCheckpoint, weight: 5 },
  drop: { step: dropSources, weight: 2 },
  move: { step: move, weight: 3 },
  take: { step: take, weight: 16 },
  forget: { step: forget, weight: 0.4 },
  suspect: { step: suspect, weight: 0.15 },
  replace: { step: replace, weight: 2 },
  leave: { step: leave, weight: 0.2 },
  crash: { step: crash, weight: 0.1 },
  restart: { step: restart, weight: 2 },
  bury: { step: bury, weight: 0.6 },
};

/** An event: which step, of which broker, for which slot, and which alternative. */
export type Event = readonly [name: string, broker: number, slot: number, choice: number];

export interface Size {
  readonly brokers: number;
  readonly slots: number;
}

export interface Found {
  readonly message: string;
  readonly trace: readonly Event[];
}

/** False: the step cannot be taken. Throws Violation. */
export function apply(world: World, event: Event, mutation: Mutation | undefined): boolean {
  const [name, at, slot, choice] = event;
  const broker = world.brokers[at];
  const known = steps[name];
  if (broker === undefined || known === undefined) return false;
  try {
    const isTaken = known.step({ world, broker, slot, choice, mutation });
    if (isTaken) checkWorld(world);
    return isTaken;
  } catch (error) {
    // What core asserts is an invariant like any other.
    if (error instanceof AssertionError) throw new Violation(error.message);
    throw error;
  }
}

/** Every slot is led by a broker and served by it, nothing is written yet. */
export function startedWorld(size: Size): World {
  const world = newWorld(size);
  apply(world, ["suspect", 0, 0, 1], undefined);
  for (let slot = 0; slot < size.slots; slot += 1) {
    for (let broker = 0; broker < size.brokers; broker += 1) {
      while (apply(world, ["take", broker, slot, 0], undefined));
    }
  }
  world.counts.suspicions = 0;
  return world;
}

/** Every step that there is. */
export const stepNames: readonly string[] = Object.keys(steps);
