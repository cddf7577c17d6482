import { setTimeout as realTime } from "node:timers/promises";
import { VirtualClock } from "@millrace/adapter-memory";
import { SystemClock } from "@millrace/adapter-node";
import { clockContract } from "./clock-contract.ts";

clockContract(() => {
  const clock = new VirtualClock();
  const pass = async (ms: number): Promise<void> => clock.advance(ms);
  return { name: "the virtual", clock, pass };
});

clockContract(() => ({ name: "the system", clock: new SystemClock(), pass: (ms) => realTime(ms) }));
