import {
  brokerId,
  declaredDead,
  epoch,
  type IncarnationId,
  incarnationId,
  type Leadership,
  newWatch,
  noLeadership,
  rankMs,
  type SlotLeader,
} from "@millrace/core";
import { describe, expect, it } from "vitest";
import { type Acts, Controller, liveOf, type Sight } from "./controller.ts";
import { firstSpreadMs } from "./limits.ts";
import type { HeardMember } from "./members.ts";

const calm = { isAlone: false, isDraining: false };
const life = (n: number): IncarnationId => incarnationId(`${n}-${"ab".repeat(16)}`);

function member(n: number, broker = n, more: { readonly isDraining?: true } = {}): HeardMember {
  const incarnation = life(n);
  const load = { total: 0, slots: [] };
  return {
    ...{ incarnation, brokerId: brokerId(broker), state: "open", listeners: [], rack: undefined },
    versions: { min: 1, max: 1 },
    heartbeat: { incarnation, counter: 1, durable: 0, load, seen: 0, ...calm, ...more },
  };
}

/** Slots led by these lives, in their order; 0: by nobody. */
function led(by: readonly number[], more: Partial<Leadership> = {}): Leadership {
  const leaders = by.map((n): SlotLeader | undefined => {
    if (n === 0) return undefined;
    return { brokerId: brokerId(n), incarnation: life(n), epoch: epoch(n) };
  });
  return { ...noLeadership(by.length), epoch: epoch(9), incarnations: 9, leaders, ...more };
}

function sight(self: number, more: Partial<Sight>): Sight {
  const leadership = led([1, 2], { controller: life(1) });
  return {
    ...{ self: life(self), leadership, counterMax: 9, watch: newWatch(life(self)) },
    ...{ open: [member(1), member(2)], level: 1, nowMs: 60_000 },
    ...more,
  };
}

/** Who leads after what was decided was written; undefined: nothing is. */
function after(
  acts: Acts | undefined,
  seen: Sight,
): readonly (IncarnationId | undefined)[] | undefined {
  const change = acts?.change(seen.leadership) ?? "unchanged";
  return change === "unchanged" ? undefined : change.leaders.map((one) => one?.incarnation);
}

describe("the controller", () => {
  it("does nothing where everybody is there", () => {
    const seen = sight(1, {});
    expect(after(new Controller(0).decide(seen), seen)).toBeUndefined();
  });

  it("gives at once what those led whose heartbeat is gone, or nobody did", () => {
    const leadership = led([1, 2, 3, 0], { controller: life(1) });
    const seen = sight(1, { leadership });
    expect(after(new Controller(0).decide(seen), seen)).toEqual([1, 2, 1, 2].map(life));
  });

  it("waits a moment where everybody starts, so that each takes its own slots back", () => {
    const leadership = led([7, 8, 2, 3], { controller: life(2) });
    const starting = member(7, 1);
    const early = sight(7, { leadership, open: [starting], nowMs: firstSpreadMs - 1 });
    expect(after(new Controller(0).decide(early), early)).toBeUndefined();
    expect(new Controller(0).nextMs(early.nowMs)).toBe(firstSpreadMs);
    const late = sight(7, { leadership, open: [starting], nowMs: firstSpreadMs });
    expect(after(new Controller(0).decide(late), late)).toEqual([7, 7, 7, 7].map(life));
  });

  it("waits for nobody where the others run, or where there were no others", () => {
    const nowMs = firstSpreadMs - 1;
    const [first, second] = [member(1), member(2)];
    const running = { ...second, heartbeat: { ...second.heartbeat, counter: 9 } };
    const leadership = led([1, 2, 3], { controller: life(1) });
    const joined = sight(1, { leadership, open: [first, running], nowMs });
    expect(after(new Controller(0).decide(joined), joined)).toBeDefined();
    const leaders = led([4, 4]).leaders.map((one) => one && { ...one, brokerId: brokerId(1) });
    const alone = sight(1, { leadership: led([], { leaders }), open: [first], nowMs });
    expect(after(new Controller(0).decide(alone), alone)).toEqual([1, 1].map(life));
  });

  it("does not take for gone who registered after the heartbeats were read", () => {
    const leadership = led([1, 2, 9], { controller: life(1) });
    const early = sight(1, { leadership, counterMax: 8 });
    expect(after(new Controller(0).decide(early), early)).toBeUndefined();
    const late = sight(1, { leadership, counterMax: 9 });
    expect(after(new Controller(0).decide(late), late)).toBeDefined();
  });

  it("does not take for gone who registered while its own write was refused", () => {
    const seen = sight(1, { leadership: led([1, 2, 0], { controller: life(1) }), counterMax: 8 });
    const acts = new Controller(0).decide(seen);
    const meanwhile = led([1, 9, 0], { controller: life(1) });
    expect(after(acts, { ...seen, leadership: meanwhile })?.slice(0, 2)).toEqual([1, 9].map(life));
  });

  it("takes an older incarnation of a broker for gone when there is a newer one", () => {
    const seen = sight(1, { open: [member(1), member(2), member(5, 2)] });
    expect(after(new Controller(0).decide(seen), seen)).toEqual([1, 5].map(life));
    expect(liveOf(seen).map((one) => one.incarnation)).toEqual([1, 5].map(life));
  });

  it("is replaced by another member, a while later, when it does not act", () => {
    const leadership = led([1, 2, 0], { controller: life(1) });
    const controller = new Controller(0);
    const first = sight(2, { leadership });
    expect(after(controller.decide(first), first)).toBeUndefined();
    const later = { ...first, nowMs: first.nowMs + rankMs };
    expect(after(controller.decide(later), later)).toBeDefined();
  });

  it("gives nothing to who drains, is dead, or cannot work under the finalised version", () => {
    const leadership = led([1, 0], { controller: life(1) });
    const watch = declaredDead(newWatch(life(1)), [life(3)]);
    const old = { ...member(4), versions: { min: 2, max: 3 } };
    const open = [member(1), member(2, 2, { isDraining: true }), member(3), old];
    const seen = sight(1, { leadership, open, watch });
    expect(after(new Controller(0).decide(seen), seen)).toEqual([1, 1].map(life));
  });

  it("waits a moment for others before the first slots of a cluster are given", () => {
    const leadership = { ...led([0, 0]), epoch: epoch(0) };
    const controller = new Controller(1_000);
    const early = sight(1, { leadership, nowMs: 1_000 + firstSpreadMs - 1 });
    expect(after(controller.decide(early), early)).toBeUndefined();
    expect(controller.nextMs(early.nowMs)).toBe(1_000 + firstSpreadMs);
    const late = { ...early, nowMs: 1_000 + firstSpreadMs };
    expect(after(controller.decide(late), late)).toEqual([1, 2].map(life));
    expect(controller.nextMs(late.nowMs)).toBe(Number.POSITIVE_INFINITY);
  });

  it("wishes nothing where it is another's to wish", () => {
    const leadership = led([1, 1, 1, 2], { controller: life(1) });
    const own = sight(1, { leadership });
    const wish = new Controller(0).decide(own)?.change(leadership);
    expect(wish === undefined || wish === "unchanged" ? [] : wish.moves).toMatchObject([
      { from: life(1), to: life(2) },
    ]);
    const others = sight(2, { leadership });
    expect(after(new Controller(0).decide(others), others)).toBeUndefined();
  });
});
