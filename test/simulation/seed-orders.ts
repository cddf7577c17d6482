import { type ChildProcess, fork } from "node:child_process";
import type { Outcome, SeedOptions, SeedRange } from "./campaign.ts";

/** What a process of a campaign is told to do. */
export type Order =
  | { readonly kind: "seeds"; readonly range: SeedRange; readonly options: SeedOptions }
  | { readonly kind: "mutation"; readonly name: string; readonly from: number };

export type OrderOutcome =
  | { readonly kind: "seeds"; readonly outcome: Outcome }
  /** The seed that shows it; absent: none does. */
  | { readonly kind: "mutation"; readonly seed?: number };

/** Has some processes carry out the orders; `done` hears of each as it comes to its end. */
export async function carryOut(
  orders: readonly Order[],
  jobs: number,
  done: (order: Order, outcome: OrderOutcome) => void,
): Promise<void> {
  const left = [...orders];
  const worker = async (): Promise<void> => {
    const child = fork(new URL("seed-process.ts", import.meta.url));
    try {
      for (let order = left.shift(); order !== undefined; order = left.shift()) {
        done(order, await answerOf(child, order));
      }
    } finally {
      child.kill();
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, orders.length) }, worker));
}

function answerOf(child: ChildProcess, order: Order): Promise<OrderOutcome> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void => {
      reject(new Error(`a process ended with ${code} in ${JSON.stringify(order)}`));
    };
    child.once("exit", ended);
    child.once("message", (outcome: OrderOutcome) => {
      child.off("exit", ended);
      resolve(outcome);
    });
    child.send(order);
  });
}
