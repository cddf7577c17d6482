/**
 * `npm run cluster`: several brokers on this machine, as processes, with one screen that shows them.
 * See `clusterUsage`. Who dies is shown, and with --restart started again. Ends by SIGINT or SIGTERM:
 * brokers together, then the host of the metadata; the second signal kills what is left.
 */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isListening } from "@millrace/adapter-node/process-driver";
import { ask, listenForAsks, type Told } from "./cluster-control.ts";
import {
  type Asked,
  type ClusterOptions,
  clusterPaths,
  clusterUsage,
  ClusterUsageError,
  readClusterCommand,
} from "./cluster-options.ts";
import { type ClusterProcess, ClusterProcesses } from "./cluster-processes.ts";
import { clusterScreen } from "./cluster-screen.ts";
import { openSlotReader, type SlotReader } from "./cluster-slots.ts";
import { fromSources } from "./launch.ts";

const exitUsage = 2;
const exitFailure = 1;
const screenMs = 1_000;
const restartPauseMs = 500;
/** A terminal's Ctrl-C may come twice: from itself, and by way of npm. */
const secondSignalMs = 1_000;

class RunningCluster {
  readonly #options: ClusterOptions;
  readonly #processes: ClusterProcesses;
  readonly #slots: SlotReader;
  readonly #drained = new Set<ClusterProcess>();
  #isStopping = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ClusterOptions, processes: ClusterProcesses, slots: SlotReader) {
    this.#options = options;
    this.#processes = processes;
    this.#slots = slots;
  }

  async start(): Promise<void> {
    const { metadata, brokers } = this.#options;
    if (metadata === undefined) this.#watch(await this.#processes.startHost());
    const ids = Array.from({ length: brokers }, (_, at) => at + 1);
    for (const id of ids) this.#startBroker(id);
    await Promise.all(ids.map((id) => this.#processes.ready(id)));
    await this.#slotsAreLed();
    await this.#show();
  }

  async answer(asked: Asked): Promise<Told> {
    if (this.#isStopping) return { ok: false, said: "the cluster stops" };
    switch (asked.what) {
      case "add":
        return this.#add();
      case "drain":
        return this.#drain(asked.broker);
      case "stop":
        setImmediate(() => void stopAndExit(this));
        return { ok: true, said: "the cluster stops" };
    }
  }

  /** Resolves when no process is left. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#timer);
    await this.#slots.close();
    await this.#processes.stopAll();
  }

  killAll(): void {
    this.#isStopping = true;
    this.#processes.killAll();
  }

  async #add(): Promise<Told> {
    const broker = this.#processes.nextBroker();
    const { pid } = this.#startBroker(broker);
    try {
      await this.#processes.ready(broker);
    } catch (error) {
      return { ok: false, said: describe(error) };
    }
    const port = this.#processes.portOf(broker);
    return { ok: true, said: `broker ${broker} runs on 127.0.0.1:${port} (pid ${pid})` };
  }

  async #drain(broker: number): Promise<Told> {
    const leaving = this.#processes.brokers.get(broker);
    if (leaving === undefined || leaving.hasEnded) {
      return { ok: false, said: `broker ${broker} does not run` };
    }
    this.#drained.add(leaving);
    leaving.signal("SIGTERM");
    await leaving.gone;
    const isInOrder = leaving.ending === "exit 0";
    return { ok: isInOrder, said: `broker ${broker} has ended: ${leaving.ending}` };
  }

  #startBroker(broker: number): ClusterProcess {
    const started = this.#processes.startBroker(broker);
    this.#watch(started, () => {
      this.#startBroker(broker);
      // What keeps it from running is in its log, and on the screen.
      this.#processes.ready(broker).catch(() => undefined);
    });
    return started;
  }

  #watch(
    started: ClusterProcess,
    again: () => void = () => {
      this.#processes.startHost().then(
        (host) => this.#watch(host),
        () => undefined,
      );
    },
  ): void {
    void started.gone.then(() => {
      if (this.#isStopping) return;
      if (!process.stdout.isTTY)
        console.log(`${started.name} (${started.pid}) ${stateOf(started)}`);
      const isWanted = this.#options.restarts === "dead" && !this.#drained.has(started);
      if (!isWanted) return;
      setTimeout(() => {
        if (!this.#isStopping) again();
      }, restartPauseMs);
    });
  }

  /** A new cluster's brokers wait a moment for each other before they take slots. */
  async #slotsAreLed(): Promise<void> {
    const lateMs = performance.now() + 10_000;
    for (;;) {
      const found = await this.#slots.read();
      const led = [...(found?.led.values() ?? [])].reduce((sum, count) => sum + count, 0);
      if ((found !== undefined && led === found.slots) || performance.now() > lateMs) return;
      await new Promise<void>((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Again and again on a terminal; else once. */
  async #show(): Promise<void> {
    const { directory, httpPort, objects } = this.#options;
    const { host, brokers, metadataUri, paths } = this.#processes;
    const slots = await this.#slots.read();
    if (this.#isStopping) return;
    const shown = [...brokers].map(([broker, one]) => ({
      ...{ broker, port: this.#processes.portOf(broker), pid: one.pid },
      httpPort: httpPort === undefined ? undefined : httpPort + broker - 1,
      state: stateOf(one),
    }));
    const screen = clusterScreen({
      ...{ directory, slots, metadata: metadataUri, brokers: shown },
      objects: objects?.uri ?? `file:${paths.objects}`,
      host: host === undefined ? undefined : { pid: host.pid, state: stateOf(host) },
    });
    if (!process.stdout.isTTY) {
      process.stdout.write(screen);
      return;
    }
    process.stdout.write(`\x1b[2J\x1b[H${screen}`);
    this.#timer = setTimeout(() => void this.#show(), screenMs);
  }
}

function stateOf(one: ClusterProcess): string {
  return one.hasEnded ? `ended: ${one.ending}` : one.state;
}

async function stopAndExit(cluster: RunningCluster): Promise<never> {
  await cluster.stop();
  process.exit(0);
}

async function run(options: ClusterOptions): Promise<void> {
  const paths = clusterPaths(options.directory);
  const processes = new ClusterProcesses({ ...options, launch: fromSources });
  const slots = await openSlotReader(options.metadata, paths.metadataSocket);
  const cluster = new RunningCluster(options, processes, slots);
  await listenForAsks(paths.controlSocket, (asked) => cluster.answer(asked));
  refuseLeftOvers(options);
  await refuseTakenPorts(options);
  let stoppedAtMs: number | undefined;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (stoppedAtMs === undefined) {
        stoppedAtMs = performance.now();
        void stopAndExit(cluster);
      } else if (performance.now() - stoppedAtMs > secondSignalMs) cluster.killAll();
    });
  }
  try {
    await cluster.start();
  } catch (error) {
    process.stderr.write(`millrace cluster: ${describe(error)}\n`);
    await cluster.stop();
    process.exit(exitFailure);
  }
}

/** Brokers of a cluster whose own process was killed: they would answer for this one's. */
function refuseLeftOvers({ directory, brokers }: ClusterOptions): void {
  const names = Array.from({ length: brokers }, (_, at) => `broker-${at + 1}`);
  const alive = ["metadata-host", ...names].flatMap((name) => {
    const path = join(directory, `${name}.pid`);
    if (!existsSync(path)) return [];
    const pid = Number(readFileSync(path, "utf8"));
    if (isAlive(pid)) return [`${name} (${pid})`];
    rmSync(path);
    return [];
  });
  if (alive.length === 0) return;
  throw new ClusterUsageError(
    `left by a cluster that was killed, and to be ended first: ${alive.join(", ")}`,
  );
}

/** Whoever listens there would be taken for the broker. */
async function refuseTakenPorts({ brokers, httpPort, port }: ClusterOptions): Promise<void> {
  for (let at = 0; at < brokers; at += 1) {
    for (const one of httpPort === undefined ? [port + at] : [port + at, httpPort + at]) {
      if (await isListening({ port: one, host: "127.0.0.1" })) {
        throw new ClusterUsageError(`somebody else listens on port ${one}: choose another --port`);
      }
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function main(): Promise<void> {
  const command = readClusterCommand(process.argv.slice(2));
  switch (command.kind) {
    case "help":
      console.log(clusterUsage);
      return;
    case "ask": {
      const told = await ask(clusterPaths(command.directory).controlSocket, command.asked);
      console.log(told.said);
      process.exitCode = told.ok ? 0 : exitFailure;
      return;
    }
    case "run":
      return run(command.options);
  }
}

try {
  await main();
} catch (error) {
  if (!(error instanceof ClusterUsageError)) throw error;
  process.stderr.write(`millrace cluster: ${error.message}\n`);
  process.exit(exitUsage);
}
