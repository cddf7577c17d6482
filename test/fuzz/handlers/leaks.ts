import type { FuzzBroker } from "./fuzz-broker.ts";

/** What no client can have left behind once all are gone. */
const gauges: readonly string[] = [
  "millrace_connections",
  "millrace_requests_in_flight",
  "millrace_request_memory_bytes",
  "millrace_request_memory_waiting_connections",
  "millrace_unsent_reply_bytes",
];
/** Timers of the broker's own duties: for partitions and groups that exist now and did not before. */
const dutyTimersMax = 40;

/** Empty when nothing of the clients is left. */
export function leaks(
  broker: FuzzBroker,
  state: { readonly timersBefore: number; readonly stillWait: boolean },
): readonly string[] {
  const found: string[] = [];
  for (const gauge of gauges) {
    const value = broker.metric(gauge);
    if (value !== 0 && !(state.stillWait && gauge !== "millrace_connections")) {
      found.push(`${gauge} is ${value} when all clients are gone`);
    }
  }
  const timers = broker.clock.pendingTimers - state.timersBefore;
  if (timers > dutyTimersMax) found.push(`${timers} timers more than at the start`);
  return found;
}
