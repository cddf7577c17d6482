/**
 * `npm run bench:create -- [--runs 30]`: from `POST /v1/clusters` to the first record that a broker
 * acknowledges, on the process driver, all of it as a user goes it: over HTTP with an API key, the
 * operation looked at as often as the SDK's `settled` does, a credential and a topic made by the API,
 * and a Kafka client that logs in over TLS and sends with acks=all. Each run makes a cluster of one
 * broker, and deletes it. One run comes before those that count: it makes the broker's bundle where
 * there is none, and has the control plane load what it loads once.
 */
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import {
  type Cluster,
  connect,
  type ControlPlane,
  type MillraceClient,
  string,
} from "../../sdk/src/index.ts";
import { ControlPlaneProcess } from "./control-plane.ts";
import { quantileOf } from "./statistics.ts";

/** In this order; each is timed from just before the request that asks for the cluster is sent. */
const marks = [
  "`POST /v1/clusters` is answered",
  "the operation has ended, by its `finishedAt`",
  "the caller has seen that it succeeded",
  "the credential is there",
  "the topic is there",
  "the first record is acknowledged",
] as const;

type Mark = (typeof marks)[number];
type Run = Readonly<Record<Mark, number>>;

/** Of the work of one step alone: not of what the operation's end and its sight have in common. */
const steps: readonly { readonly name: string; readonly from: Mark; readonly to: Mark }[] = [
  { name: "until the end is seen", from: marks[1], to: marks[2] },
  { name: "credential", from: marks[2], to: marks[3] },
  { name: "topic", from: marks[3], to: marks[4] },
  { name: "connection's facts, login, record", from: marks[4], to: marks[5] },
];

async function oneRun(
  control: ControlPlane,
  { name, signal }: { readonly name: string; readonly signal: AbortSignal },
): Promise<{ readonly cluster: Cluster; readonly run: Run }> {
  const spec = { brokers: 1, brokerSize: { cpu: 256, memoryMiB: 512 }, deletionProtection: false };
  const wallStartMs = Date.now();
  const startMs = performance.now();
  const since = (): number => performance.now() - startMs;
  const cluster = await control.clusters.create({ name, ...spec }, { signal });
  const answered = since();
  let finishedAt: string | undefined;
  await control.clusters.settled(cluster.id, {
    signal,
    onProgress: (operation) => {
      ({ finishedAt } = operation);
    },
  });
  const seen = since();
  if (finishedAt === undefined) throw new Error("the operation does not say when it ended");
  const inside = control.cluster(cluster.id);
  const { username, secret } = await inside.credentials.create({ name: "bench" }, { signal });
  const credential = since();
  await inside.topics.create({ name: "first" }, { signal });
  const topic = since();
  await using client = await loggedIn(control, { cluster, username, secret });
  const sent = await client.topic("first", { value: string() }).send({ value: "1" }, { signal });
  const acknowledged = since();
  if (sent.offset !== 0) throw new Error(`the first record is at offset ${sent.offset}`);
  const ended = Date.parse(finishedAt) - wallStartMs;
  const times = [answered, ended, seen, credential, topic, acknowledged];
  const run = Object.fromEntries(marks.map((mark, at) => [mark, times[at] ?? 0])) as Run;
  return { cluster, run };
}

/** The producer's defaults: acks=all, idempotent, no linger. */
async function loggedIn(
  control: ControlPlane,
  login: { readonly cluster: Cluster; readonly username: string; readonly secret: string },
): Promise<MillraceClient> {
  const { cluster, secret: password, username } = login;
  const { bootstrapServers, caCertificate } = await control.cluster(cluster.id).connection();
  if (caCertificate === undefined) throw new Error("the cluster has no certificate");
  return connect({
    brokers: bootstrapServers,
    tls: { ca: caCertificate },
    sasl: { mechanism: "SCRAM-SHA-512", username, password },
  });
}

/** Throws where something is left of it: the next run would not be like this one. */
async function remove(plane: ControlPlaneProcess, { id }: Cluster): Promise<void> {
  const { operation } = await plane.control.clusters.delete(id);
  if (operation !== undefined) await plane.control.operations.wait(operation);
  const left = await plane.parts();
  if (left.length > 0) throw new Error(`left: ${left.map(({ kind }) => kind).join(", ")}`);
}

function row(name: string, values: readonly number[]): string {
  const cells = [0, 0.1, 0.5, 0.9, 1].map((share) => quantileOf(values, share));
  return `| ${[name, ...cells.map((value) => Math.round(value).toLocaleString("en"))].join(" | ")} |`;
}

function table(runs: readonly Run[]): string {
  return [
    `| ms from just before the POST, ${runs.length} runs | min | p10 | p50 | p90 | max |`,
    "| --- | ---: | ---: | ---: | ---: | ---: |",
    ...marks.map((mark) =>
      row(
        mark,
        runs.map((run) => run[mark]),
      ),
    ),
    ...steps.map(({ from, name, to }) =>
      row(
        `of which: ${name}`,
        runs.map((run) => run[to] - run[from]),
      ),
    ),
  ].join("\n");
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function sayRun(name: string, run: Run): void {
  say(`${name}: ${marks.map((mark) => Math.round(run[mark])).join("  ")}`);
}

function load(): string {
  return loadavg()
    .map((value) => value.toFixed(1))
    .join(", ");
}

async function measure(runs: number, signal: AbortSignal): Promise<readonly Run[]> {
  const plane = await ControlPlaneProcess.start();
  try {
    const found: Run[] = [];
    for (let at = 0; at <= runs; at += 1) {
      const { cluster, run } = await oneRun(plane.control, { name: `run-${at}`, signal });
      await remove(plane, cluster);
      sayRun(at === 0 ? "does not count" : String(at), run);
      if (at > 0) found.push(run);
    }
    return found;
  } finally {
    await plane.end();
  }
}

const { values } = parseArgs({ options: { runs: { type: "string", default: "30" } } });
const runs = Number(values.runs);
if (!Number.isInteger(runs) || runs < 1) throw new Error("--runs wants a number from 1 on");
const interrupted = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.once(name, () => interrupted.abort(new Error(name)));
}
const processors = cpus();
say(`${processors.length} × ${processors[0]?.model ?? "unknown"}, Node ${process.version}`);
say(`${new Date().toISOString()}, load of 1, 5 and 15 minutes before: ${load()}`);
const found = await measure(runs, interrupted.signal);
say(`${new Date().toISOString()}, load of 1, 5 and 15 minutes after: ${load()}\n`);
say(table(found));
