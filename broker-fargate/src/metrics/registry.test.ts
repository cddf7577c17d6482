import { expect, it } from "vitest";
import { metricSeriesMax } from "../limits.ts";
import { observeTurns } from "./event-loop-watch.ts";
import { observeProcess } from "./process-usage.ts";
import { Metrics } from "./registry.ts";

const ownLines = [
  "# HELP millrace_metric_series_refused_total Metric series refused because there were too many.",
  "# TYPE millrace_metric_series_refused_total counter",
  "millrace_metric_series_refused_total 0",
];

function textOf(metrics: Metrics): string[] {
  const lines = metrics.exposition().split("\n");
  expect(lines.pop()).toBe("");
  expect(lines.slice(0, ownLines.length)).toEqual(ownLines);
  return lines.slice(ownLines.length);
}

it("writes counters and gauges with one head per name, labels sorted and escaped", () => {
  const metrics = new Metrics();
  metrics.counter("requests_total", "Requests.\nAll \\ of them.", { b: "x", a: 'y"\\\n' }).add(2);
  metrics.counter("requests_total", "Requests.", {}).add();
  metrics.gauge("open", "Open.").set(-1.5);
  expect(textOf(metrics)).toEqual([
    "# HELP requests_total Requests.\\nAll \\\\ of them.",
    "# TYPE requests_total counter",
    'requests_total{a="y\\"\\\\\\n",b="x"} 2',
    "requests_total 1",
    "# HELP open Open.",
    "# TYPE open gauge",
    "open -1.5",
  ]);
});

it("gives the same series for the same name and labels, in any order", () => {
  const metrics = new Metrics();
  metrics.counter("n", "N.", { a: "1", b: "2" }).add();
  metrics.counter("n", "N.", { b: "2", a: "1" }).add();
  expect(textOf(metrics)).toContain('n{a="1",b="2"} 2');
});

it("counts a histogram's observations in the bucket whose bound they do not exceed", () => {
  const metrics = new Metrics();
  const seconds = metrics.histogram("seconds", "Seconds.", [0.1, 1], { api: "Fetch" });
  for (const value of [0.1, 0.100001, 1, 5]) seconds.observe(value);
  expect(textOf(metrics).slice(2)).toEqual([
    'seconds_bucket{api="Fetch",le="0.1"} 1',
    'seconds_bucket{api="Fetch",le="1"} 3',
    'seconds_bucket{api="Fetch",le="+Inf"} 4',
    'seconds_sum{api="Fetch"} 6.200001',
    'seconds_count{api="Fetch"} 4',
  ]);
});

it("reads an observed family when it is written", () => {
  const metrics = new Metrics();
  let lag = 1;
  metrics.observe({ kind: "gauge", name: "lag", help: "Lag." }, () => [
    { labels: { group: "g" }, value: lag },
  ]);
  metrics.observe({ kind: "gauge", name: "size", help: "Size." }, () => Number.POSITIVE_INFINITY);
  lag = 7;
  expect(textOf(metrics)).toContain('lag{group="g"} 7');
  expect(textOf(metrics)).toContain("size +Inf");
});

it("writes nothing for a series that was removed", () => {
  const metrics = new Metrics();
  metrics.gauge("bytes", "Bytes.", { topic: "t" });
  metrics.remove("bytes", { topic: "t" });
  expect(textOf(metrics)).toEqual([]);
});

it("refuses a name that is no metric's, and a name of two kinds", () => {
  const metrics = new Metrics();
  expect(() => metrics.counter("not a name", "")).toThrow("not a metric name");
  expect(() => metrics.counter("n", "", { "not-a-label": "" })).toThrow("not a label name");
  metrics.counter("n", "");
  expect(() => metrics.gauge("n", "")).toThrow("n is a counter");
});

it("bounds the number of series, and says how many it did not make", () => {
  const metrics = new Metrics();
  for (let index = 0; index < metricSeriesMax + 9; index++) {
    metrics.gauge("g", "G.", { index: String(index) }).set(1);
  }
  const lines = metrics.exposition().split("\n");
  expect(lines).toContain("millrace_metric_series_refused_total 10");
  expect(lines.filter((line) => line.startsWith("g{"))).toHaveLength(metricSeriesMax - 1);
});

it("shows how long the event loop was busy in a turn, finely around what a client notices", () => {
  const metrics = new Metrics();
  const turns = observeTurns(metrics);
  for (const seconds of [0.0001, 0.009, 0.012, 0.019, 0.021]) turns.observe(seconds);
  const lines = metrics.exposition().split("\n");
  const within = (le: string): string => `millrace_event_loop_turn_seconds_bucket{le="${le}"}`;
  for (const [le, count] of Object.entries({ "0.01": 2, "0.015": 3, "0.02": 4, "0.03": 5 })) {
    expect(lines).toContain(`${within(le)} ${count}`);
  }
});

it("shows what the process uses when somebody looks, and nothing that the system does not say", () => {
  const metrics = new Metrics();
  const usage = {
    ...{
      residentBytes: 1,
      heapUsedBytes: 2,
      youngResidentBytes: 1,
      externalBytes: 3,
      arrayBufferBytes: 4,
    },
    ...{ cpuSeconds: 0.5, openDescriptors: 7 as number | undefined },
    activeResources: new Map([["Timeout", 2]]),
  };
  observeProcess(metrics, () => usage);
  usage.residentBytes = 9;
  const lines = metrics.exposition().split("\n");
  expect(lines).toContain("process_resident_memory_bytes 9");
  expect(lines).toContain("process_open_fds 7");
  expect(lines).toContain('nodejs_active_resources{type="Timeout"} 2');
  usage.openDescriptors = undefined;
  expect(metrics.exposition()).not.toMatch(/^process_open_fds /m);
});
