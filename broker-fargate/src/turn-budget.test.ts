import { VirtualClock } from "@millrace/adapter-memory";
import { expect, test } from "vitest";
import { TurnBudget } from "./turn-budget.ts";

test("work within the budget is done at once, and the rest in turns to come, in its order", async () => {
  const clock = new VirtualClock();
  const budget = new TurnBudget(clock, 10);
  const done: string[] = [];
  const work = async (name: string, amount: number): Promise<void> => {
    await budget.take(amount);
    done.push(name);
  };
  const all = [work("a", 6), work("b", 4), work("c", 7), work("d", 7), work("e", 3)];
  const turns: string[][] = [];
  while (done.length < all.length) {
    await new Promise((resolve) => setImmediate(resolve));
    turns.push(done.slice(turns.flat().length));
    clock.fireNext();
  }
  expect(turns).toEqual([["a", "b"], ["c", "e"], ["d"]]);
});

test("work that is larger than a turn's gets a turn of its own", async () => {
  const clock = new VirtualClock();
  const budget = new TurnBudget(clock, 10);
  expect(budget.takes(25)).toBe(true);
  expect(budget.takes(1)).toBe(false);
  const next = budget.nextTurn();
  clock.fireNext();
  await next;
  expect(budget.takes(1)).toBe(true);
  expect(budget.takes(25)).toBe(false);
});

test("work that was not known before counts as well", () => {
  const budget = new TurnBudget(new VirtualClock(), 10);
  expect(budget.takes(1)).toBe(true);
  budget.add(10);
  expect(budget.takes(1)).toBe(false);
});
