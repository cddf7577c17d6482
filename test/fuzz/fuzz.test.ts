import { expect, test } from "vitest";
import { DecoderTarget } from "./decoders/decoders.ts";
import { HandlerTarget } from "./handlers/handlers.ts";
import { RecoveryTarget } from "./recovery/recovery.ts";
import { type Budget, type FuzzResult, fuzz, repeatCommand, type Target } from "./target.ts";

/**
 * `run.ts` goes on for as long as one likes; this is what fits into every check: so many cases, a
 * second or less for each target. The time is for a machine that has much else to do.
 */
async function bounded(target: Target, budget: Partial<Budget>): Promise<FuzzResult> {
  const result = await fuzz(target, {
    ...{ seed: 1, casesMax: 1, msMax: 20_000, findingsMax: 3 },
    ...budget,
  });
  const told = result.findings.flatMap(({ seed, what }) => [
    repeatCommand(target.name, seed),
    ...what,
  ]);
  expect(told).toEqual([]);
  return result;
}

test("no decoder gives anything but a value or its own error", async () => {
  const target = await DecoderTarget.all();
  const { cases } = await bounded(target, { casesMax: 5_000 });
  expect(target.size).toBeGreaterThan(500);
  expect(cases).toBeGreaterThan(1_000);
});

test("no request harms the broker, other clients, or what they wrote", async () => {
  const target = await HandlerTarget.open({ steps: 60 });
  const { cases } = await bounded(target, { casesMax: 10 });
  expect(cases).toBeGreaterThan(1);
});

test("damaged files are served as far as they are whole, or refused", async () => {
  const { cases } = await bounded(new RecoveryTarget(), { casesMax: 250 });
  expect(cases).toBeGreaterThan(50);
});

test("a case is the same each time it is run", async () => {
  const target = await HandlerTarget.open({ steps: 40 });
  await target.run(3);
  const first = target.coverage();
  const again = await HandlerTarget.open({ steps: 40 });
  await again.run(3);
  // The first lines tell of times.
  expect(again.coverage().slice(2)).toEqual(first.slice(2));
});
