/**
 * One of the processes of a campaign: runs what it is sent, one order after another, and answers
 * each with what came of it.
 */
import { runSeeds } from "./campaign.ts";
import { firstFound } from "./mutating.ts";
import { allMutations } from "./all-mutations.ts";
import type { Order, OrderOutcome } from "./seed-orders.ts";

async function outcomeOf(order: Order): Promise<OrderOutcome> {
  if (order.kind === "seeds") {
    return { kind: "seeds", outcome: await runSeeds(order.range, order.options) };
  }
  const mutation = allMutations.find(({ name }) => name === order.name);
  if (mutation === undefined) throw new Error(`no mistake is called ${order.name}`);
  const seed = await firstFound(mutation, order.from);
  return { kind: "mutation", ...(seed === undefined ? {} : { seed }) };
}

process.on("message", (order: Order) => {
  void outcomeOf(order).then((outcome) => process.send?.(outcome));
});
