import { VirtualClock } from "@millrace/adapter-memory";
import { brokerId, epoch, type IncarnationId, type SlotLeader } from "@millrace/core";
import { expect, it } from "vitest";
import { servedMsMax } from "../limits.ts";
import { whenServed } from "./served.ts";

const [own, other, gone] = ["own", "other", "gone"] as unknown as [
  IncarnationId,
  IncarnationId,
  IncarnationId,
];

function leader(id: number, incarnation: IncarnationId): SlotLeader {
  return { brokerId: brokerId(id), incarnation, epoch: epoch(1) };
}

function kit(leaders: readonly (SlotLeader | undefined)[]) {
  const clock = new VirtualClock();
  const cluster = {
    ...{ incarnation: own, isRunning: true, live: [{ incarnation: other }] },
    leadership: { leaders },
  };
  const state = { isOver: false };
  const begin = (): void => {
    void whenServed(cluster, clock).then(() => {
      state.isOver = true;
    });
  };
  /** The next look, and what follows from it. */
  const look = async (): Promise<void> => {
    clock.fireNext();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { begin, clock, cluster, look, state };
}

it("a cluster whose slots all have leaders that live is served at once", async () => {
  const { begin, look, state } = kit([leader(1, own), leader(2, other)]);
  begin();
  await look();
  expect(state.isOver).toBe(true);
});

it.each([
  ["nobody leads", undefined],
  ["somebody leads who is dead", leader(3, gone)],
])("a slot that %s is waited for", async (_, last) => {
  const { begin, cluster, look, state } = kit([leader(1, own), last]);
  begin();
  for (let at = 0; at < 3; at += 1) await look();
  expect(state.isOver).toBe(false);
  cluster.leadership = { leaders: [leader(1, own), leader(2, other)] };
  await look();
  expect(state.isOver).toBe(true);
});

it("nobody waits for ever for a slot that nobody can serve, nor for a life that is over", async () => {
  const late = kit([undefined]);
  late.begin();
  const startMs = late.clock.monotonicMs();
  while (!late.state.isOver) await late.look();
  expect(late.clock.monotonicMs() - startMs).toBe(servedMsMax);
  const over = kit([undefined]);
  over.cluster.isRunning = false;
  over.begin();
  await over.look();
  expect(over.state.isOver).toBe(true);
});
