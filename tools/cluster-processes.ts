/**
 * The processes of a cluster on this machine: the one that hosts the metadata, and brokers on
 * consecutive ports. Each has a pid file and a log in the cluster's directory.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { NetConnectOpts } from "node:net";
import { join } from "node:path";
import { isListening, storeSettings } from "@millrace/adapter-node/process-driver";
import { clusterPaths, type ClusterPaths, type SharedStores } from "./cluster-options.ts";
import type { Launch } from "./launch.ts";

export interface ClusterPlan extends SharedStores {
  readonly directory: string;
  /** Broker 1's; broker N listens N - 1 above. */
  readonly port: number;
  readonly httpPort: number | undefined;
  readonly settings: readonly string[];
  readonly launch: Launch;
}

export type ProcessState = "starting" | "runs" | "leaving" | "ended";

const readyPollMs = 20;
const stopMsMax = 30_000;

/** One process, started once. It is the leader of a group of its own: Ctrl-C does not reach it. */
export class ClusterProcess {
  readonly name: string;
  readonly pid: number;
  readonly logPath: string;
  /** Resolves when it is gone. */
  readonly gone: Promise<void>;
  #state: ProcessState = "starting";
  /** How it ended. */
  #ending = "";

  constructor(
    name: string,
    at: { readonly directory: string; readonly args: readonly string[]; readonly launch: Launch },
  ) {
    this.name = name;
    this.logPath = join(at.directory, `${name}.log`);
    const log = openSync(this.logPath, "a");
    const child: ChildProcess = spawn(process.execPath, [...at.args], {
      detached: true,
      stdio: ["ignore", log, log],
      env: { ...process.env, ...at.launch.env },
    });
    closeSync(log);
    if (child.pid === undefined) throw new Error(`${name} can't be started`);
    this.pid = child.pid;
    const pidPath = join(at.directory, `${name}.pid`);
    writeFileSync(pidPath, `${child.pid}\n`);
    this.gone = new Promise((resolve) => {
      child.on("close", (code, signal) => {
        this.#state = "ended";
        this.#ending = signal === null ? `exit ${code}` : signal;
        if (readFileSync(pidPath, "utf8") === `${child.pid}\n`) rmSync(pidPath);
        resolve();
      });
    });
  }

  get state(): ProcessState {
    return this.#state;
  }

  get ending(): string {
    return this.#ending;
  }

  get hasEnded(): boolean {
    return this.#state === "ended";
  }

  /** To it and what it started. Whoever is gone is not told. */
  signal(signal: NodeJS.Signals): void {
    if (this.hasEnded) return;
    if (signal === "SIGTERM") this.#state = "leaving";
    process.kill(-this.pid, signal);
  }

  /** In order: SIGTERM, and SIGKILL where that takes too long. */
  async stop(withinMs: number = stopMsMax): Promise<void> {
    this.signal("SIGTERM");
    const timer = setTimeout(() => this.signal("SIGKILL"), withinMs);
    await this.gone;
    clearTimeout(timer);
  }

  /** Resolves when it takes connections. Rejects with the end of its log when it ends before. */
  async takesConnections(at: NetConnectOpts, withinMs: number): Promise<void> {
    const lateMs = performance.now() + withinMs;
    while (!(await isListening(at))) {
      if (this.hasEnded) throw new Error(`${this.name}: ${this.ending}\n${this.logTail()}`);
      if (performance.now() > lateMs)
        throw new Error(`${this.name} is not ready in ${withinMs} ms`);
      await new Promise<void>((resolve) => setTimeout(resolve, readyPollMs));
    }
    if (this.#state === "starting") this.#state = "runs";
  }

  logTail(): string {
    return readFileSync(this.logPath, "utf8").trimEnd().slice(-2_000);
  }
}

const startMsMax = 60_000;

export class ClusterProcesses {
  readonly plan: ClusterPlan;
  readonly paths: ClusterPaths;
  #host: ClusterProcess | undefined;
  readonly #brokers = new Map<number, ClusterProcess>();
  /** All that were ever started: what is still there ends with `killAll`. */
  readonly #started = new Set<ClusterProcess>();

  constructor(plan: ClusterPlan) {
    this.plan = plan;
    this.paths = clusterPaths(plan.directory);
    mkdirSync(plan.directory, { recursive: true });
  }

  /** The process that hosts the metadata; none where they lie elsewhere. */
  get host(): ClusterProcess | undefined {
    return this.#host;
  }

  /** By broker id. The newest of each, also those that ended. */
  get brokers(): ReadonlyMap<number, ClusterProcess> {
    return this.#brokers;
  }

  get all(): readonly ClusterProcess[] {
    const host = this.#host === undefined ? [] : [this.#host];
    return [...host, ...this.#brokers.values()];
  }

  portOf(broker: number): number {
    return this.plan.port + broker - 1;
  }

  get metadataUri(): string {
    return this.plan.metadata?.uri ?? `unix:${this.paths.metadataSocket}`;
  }

  /** Resolves when it listens. Rejects where it ends before, or takes too long. */
  async startHost(): Promise<ClusterProcess> {
    const { directory, launch } = this.plan;
    const { hostDirectory, metadataSocket } = this.paths;
    const args = [...launch.host, "--dir", hostDirectory, "--socket", metadataSocket];
    mkdirSync(hostDirectory, { recursive: true });
    const host = new ClusterProcess("metadata-host", { directory, args, launch });
    this.#host = host;
    this.#started.add(host);
    await host.takesConnections({ path: metadataSocket }, startMsMax);
    return host;
  }

  /** Of a broker that does not run. Returns at once; `ready` follows it. */
  startBroker(broker: number): ClusterProcess {
    const { directory, launch } = this.plan;
    const args = [...launch.broker, ...this.#brokerArgs(broker)];
    const started = new ClusterProcess(`broker-${broker}`, { directory, args, launch });
    this.#brokers.set(broker, started);
    this.#started.add(started);
    return started;
  }

  /** Resolves when the broker takes connections. Rejects where it ends before. */
  async ready(broker: number): Promise<void> {
    const port = this.portOf(broker);
    await this.#brokers.get(broker)?.takesConnections({ port, host: "127.0.0.1" }, startMsMax);
  }

  /** The first id that no broker has had here. */
  nextBroker(): number {
    return Math.max(0, ...this.#brokers.keys()) + 1;
  }

  /** Brokers together, so that none takes what another one leaves; then the host. */
  async stopAll(): Promise<void> {
    await Promise.all(
      [...this.#started].filter((one) => one !== this.#host).map((one) => one.stop()),
    );
    await this.#host?.stop();
  }

  /** SIGKILL to whatever is left. */
  killAll(): void {
    for (const one of this.#started) one.signal("SIGKILL");
  }

  #brokerArgs(broker: number): readonly string[] {
    const { directory, httpPort, settings, metadata, objects } = this.plan;
    const shared = {
      "node.id": String(broker),
      ...storeSettings({
        metadata: { ...metadata, uri: this.metadataUri },
        objects: { ...objects, uri: objects?.uri ?? `file:${this.paths.objects}` },
      }),
    };
    const http = httpPort === undefined ? "off" : String(httpPort + broker - 1);
    return [
      ...["--data", join(directory, `broker-${broker}`)],
      ...["--port", String(this.portOf(broker)), "--http-port", http],
      ...[...Object.entries(shared).map(([key, value]) => `${key}=${value}`), ...settings].flatMap(
        (one) => ["--set", one],
      ),
    ];
  }
}
