import type { Mutation } from "./mutations.ts";
import type { Counted } from "./world.ts";

type Bounds = Readonly<Record<Counted, number>>;

/** Few events: every state that they reach is looked at, in a moment. */
export const smallBounds: Bounds = {
  ...{ appends: 1, crashes: 0, suspicions: 1, moves: 0, checkpoints: 1 },
};

/**
 * What finds a deviation: the first of the seeds from 1 on whose walk (three brokers, two slots,
 * 1,500 events) does, and, where one was seen to, the bounds within which the search over two
 * brokers and one slot does.
 */
export const foundBy: Readonly<
  Record<Mutation, { readonly seed: number; readonly bounds?: Bounds }>
> = {
  "fence skipped": { seed: 1, bounds: smallBounds },
  "claim not conditional on the head as read": {
    seed: 1,
    bounds: { appends: 1, crashes: 1, suspicions: 2, moves: 0, checkpoints: 0 },
  },
  "claim without a check of the own journal": { seed: 9 },
  "claim before the owner's journal is closed": { seed: 1, bounds: smallBounds },
  "trim on a closing journal": {
    seed: 4,
    bounds: { appends: 2, crashes: 0, suspicions: 1, moves: 0, checkpoints: 1 },
  },
  "checkpoint registered on a closing journal": {
    seed: 9,
    bounds: { appends: 1, crashes: 0, suspicions: 1, moves: 0, checkpoints: 2 },
  },
  "replay ignores the source's epoch": {
    seed: 2,
    bounds: { appends: 2, crashes: 0, suspicions: 1, moves: 2, checkpoints: 0 },
  },
  "source dropped for a checkpoint of an earlier epoch": { seed: 21 },
  "epoch used again": { seed: 1, bounds: smallBounds },
  "dead journal deleted while a head names it": { seed: 1, bounds: smallBounds },
  "trim before the checkpoint is registered": { seed: 1, bounds: smallBounds },
  "released before everything is acknowledged": {
    seed: 1,
    bounds: { appends: 1, crashes: 0, suspicions: 0, moves: 1, checkpoints: 0 },
  },
  "released before the pack is registered": {
    seed: 1,
    bounds: { appends: 1, crashes: 0, suspicions: 0, moves: 1, checkpoints: 0 },
  },
  "acknowledged out of order": {
    seed: 12,
    bounds: { appends: 2, crashes: 0, suspicions: 1, moves: 0, checkpoints: 0 },
  },
  "PUT not conditional": { seed: 1, bounds: smallBounds },
  "claim over a copy of an older head": { seed: 40 },
  "a source copies before its claim": { seed: 264 },
  "replay begins with the oldest source": { seed: 8 },
};
