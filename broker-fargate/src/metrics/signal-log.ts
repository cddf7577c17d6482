import type { Clock, Settings } from "@millrace/core";
import type { Logger } from "pino";
import type { Serving } from "../http/lazy-control.ts";
import type { Metrics } from "./registry.ts";
import { type Found, SignalLooks } from "./signals.ts";

/** Of a process: see `beginSignalLog`. A line of JSON, whose `signals` are values by their names. */
export function logSignals(at: {
  readonly clock: Clock;
  readonly log: Logger;
  readonly serving: Readonly<Serving>;
  readonly settings: Pick<Settings, "signalsLogIntervalMs">;
}): () => void {
  const { clock, log, serving, settings } = at;
  return beginSignalLog({
    ...{ clock, intervalMs: settings.signalsLogIntervalMs },
    metrics: () => serving.life?.opened.broker.metrics,
    warn: (found, message) => log.warn({ signals: found }, message),
  });
}

export interface SignalLogOptions {
  readonly clock: Pick<Clock, "after">;
  /** 0: it is never told. */
  readonly intervalMs: number;
  /** Of the life that the process is in; undefined before the first one. */
  readonly metrics: () => Pick<Metrics, "readings"> | undefined;
  readonly warn: (signals: Found, message: string) => void;
}

/**
 * Tells the log of the signals that are beyond what is usual, one line an interval, and nothing where
 * none is: what makes metrics of log lines is then billed for those of a broker that is not well, and
 * for no others. Returns what ends it.
 */
export function beginSignalLog({ clock, intervalMs, metrics, warn }: SignalLogOptions): () => void {
  if (intervalMs === 0) return () => undefined;
  const looks = new SignalLooks();
  const look = (): void => {
    timer = clock.after(intervalMs, look);
    const present = metrics();
    const found = present === undefined ? {} : looks.look(present);
    if (Object.keys(found).length > 0) warn(found, "signals are beyond what is usual");
  };
  let timer = clock.after(intervalMs, look);
  return () => timer.cancel();
}
