import { VirtualClock } from "@millrace/adapter-memory";
import { expect, it } from "vitest";
import { Metrics } from "./registry.ts";
import { beginSignalLog } from "./signal-log.ts";
import { type Found, SignalLooks, signals } from "./signals.ts";

function observed(name: string, read: () => number): Metrics {
  const metrics = new Metrics();
  metrics.observe({ kind: "gauge", name, help: "of a test" }, read);
  return metrics;
}

it("nothing is told while every signal is as usual, and one line an interval while one is not", () => {
  const clock = new VirtualClock();
  const told: Found[] = [];
  let lost = 0;
  const metrics = observed("millrace_takeover_lost_slots", () => lost);
  const warn = (found: Found): void => void told.push(found);
  const end = beginSignalLog({ clock, intervalMs: 60_000, metrics: () => metrics, warn });
  clock.fireNext();
  expect([clock.monotonicMs(), told.length]).toEqual([60_000, 0]);
  lost = 2;
  clock.fireNext();
  clock.fireNext();
  expect(told).toEqual([{ millrace_takeover_lost_slots: 2 }, { millrace_takeover_lost_slots: 2 }]);
  lost = 0;
  clock.fireNext();
  expect([clock.monotonicMs(), told.length]).toEqual([240_000, 2]);
  end();
  expect(clock.fireNext()).toBe(false);
});

it("an interval of 0 is never", () => {
  const clock = new VirtualClock();
  const metrics = observed("millrace_takeover_lost_slots", () => 1);
  const warn = (): never => {
    throw new Error("told");
  };
  beginSignalLog({ clock, intervalMs: 0, metrics: () => metrics, warn })();
  expect(clock.fireNext()).toBe(false);
});

it("each signal is told from beyond its bound on, and by its label", () => {
  expect(signals.length).toBeGreaterThan(10);
  for (const { labels, metric, name, usual } of signals) {
    const [, key, label] = /^([a-z]+)="([a-z]+)"$/u.exec(labels) ?? [];
    const at = "atMost" in usual ? usual.atMost : usual.atLeast;
    const beyond = "atMost" in usual ? at + 1 : at - 1;
    const looked = (value: number): Found => {
      const metrics = new Metrics();
      metrics.observe({ kind: "gauge", name: metric, help: "of a test" }, () =>
        key === undefined ? value : [{ labels: { [key]: label ?? "" }, value }],
      );
      return new SignalLooks().look(metrics);
    };
    expect(looked(at)).toEqual({});
    expect(looked(beyond)).toEqual({ [name]: beyond });
  }
});

it("of what only rises, what came since the last look is told, also when it began again", () => {
  let count = 3;
  const metrics = observed("millrace_claims_refused_total", () => count);
  const looks = new SignalLooks();
  const risen = (to: number): number | undefined => {
    count = to;
    return looks.look(metrics)["millrace_claims_refused_total"];
  };
  expect([risen(3), risen(3), risen(10), risen(2)]).toEqual([3, undefined, 7, 2]);
});

it("what a broker has no metric for is no signal, and what counts is read as what is observed", () => {
  const metrics = new Metrics();
  expect(new SignalLooks().look(metrics)).toEqual({});
  metrics.counter("millrace_tier_lost_offsets_total", "of a test").add(4);
  metrics.histogram("millrace_evidence_age_seconds", "of a test", [1]).observe(9);
  expect(new SignalLooks().look(metrics)).toEqual({ millrace_tier_lost_offsets_total: 4 });
});
