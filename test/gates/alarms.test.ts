/**
 * Every alarm over what brokers tell of themselves looks at something that really is told. That the
 * template has these alarms, and their metrics' filters: `infra/src/template.test.ts`.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { VirtualClock } from "@millrace/adapter-memory";
import { beforeAll, expect, it } from "vitest";
import { observeLives } from "../../broker-fargate/src/lives.ts";
import type { Metrics } from "../../broker-fargate/src/metrics/registry.ts";
import { beginSignalLog } from "../../broker-fargate/src/metrics/signal-log.ts";
import { type Signal, signals } from "../../broker-fargate/src/metrics/signals.ts";
import {
  type BrokerSignal,
  brokerSignals,
  signalSelector,
} from "../../infra/src/broker-signals.ts";
import { ClusterRig } from "../fixtures/cluster-rig.ts";

const page = readFileSync(join(import.meta.dirname, "../../docs/signals.md"), "utf8");
const [toBeWokenFor = ""] = page.split("## All of them");

let metrics: Metrics;

beforeAll(async () => {
  const [broker] = await new ClusterRig().start(1);
  if (broker === undefined) throw new Error("nobody");
  metrics = broker.broker.broker.metrics;
  observeLives(metrics, { count: 3 });
});

/** One sentence for each alarm that could never fire; none when each is told of in time. */
function faultsOf(alarms: readonly BrokerSignal[], told: readonly Signal[]): readonly string[] {
  return alarms.flatMap(({ alarm, beyond, name }): readonly string[] => {
    const signal = told.find((each) => each.name === name);
    if (signal === undefined) return [`${alarm}: no broker tells of ${name}`];
    if (!metrics.readings(signal.metric).has(signal.labels)) {
      return [`${alarm}: no broker has ${signal.metric}{${signal.labels}}`];
    }
    const { usual } = signal;
    const isToldBefore =
      "above" in beyond
        ? "atMost" in usual && usual.atMost <= beyond.above
        : "atLeast" in usual && usual.atLeast >= beyond.below;
    return isToldBefore ? [] : [`${alarm}: ${name} is not told of where the alarm begins`];
  });
}

it("each signal of brokers has its alarm, and a broker tells of it before the alarm begins", () => {
  expect(faultsOf(brokerSignals, signals)).toEqual([]);
  const names = brokerSignals.map(({ name }) => name);
  expect(names.length).toBeGreaterThan(10);
  expect(names.toSorted()).toEqual(signals.map(({ name }) => name).toSorted());
});

it("an alarm over what no broker tells, has, or tells in time is red", () => {
  const [first] = brokerSignals;
  const [signal] = signals;
  if (first === undefined || signal === undefined) throw new Error("there are none");
  const gone = { ...first, name: "millrace_gone" };
  expect(faultsOf([gone], signals)).toEqual(["SlotsLost: no broker tells of millrace_gone"]);
  const unknown = { ...signal, name: "millrace_gone", metric: "millrace_gone" };
  expect(faultsOf([gone], [unknown])).toEqual(["SlotsLost: no broker has millrace_gone{}"]);
  const late = { ...signal, usual: { atMost: 5 } };
  expect(faultsOf([first], [late])).toHaveLength(1);
});

it("a filter finds its number in the very line that a broker writes", () => {
  const lines: string[] = [];
  const log = pino({ level: "warn" }, { write: (line: string) => void lines.push(line) });
  const clock = new VirtualClock();
  beginSignalLog({
    ...{ clock, intervalMs: 60_000, metrics: () => metrics },
    warn: (found, message) => log.warn({ signals: found }, message),
  });
  clock.fireNext();
  const line = JSON.parse(lines[0] ?? "{}") as { readonly signals?: object };
  const name = "millrace_incarnations_fenced_total";
  expect(line.signals).toMatchObject({ [name]: 2 });
  const value = signalSelector(name)
    .split(".")
    .slice(1)
    .reduce<unknown>((at, key) => (at as Readonly<Record<string, unknown>>)[key], line);
  expect(value).toBe(2);
});

it("docs/signals.md says of each what to do", () => {
  for (const { metric } of signals) expect(toBeWokenFor).toContain(`\`${metric}`);
  for (const { alarm } of brokerSignals) expect(toBeWokenFor).toContain(`\`${alarm}\``);
});
