/** A cluster of processes that a test kills, pauses and stops, on free ports. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { SharedStores } from "../../tools/cluster-options.ts";
import { type ClusterProcess, ClusterProcesses } from "../../tools/cluster-processes.ts";
import { type LedSlots, openSlotReader, type SlotReader } from "../../tools/cluster-slots.ts";
import { brokerEnvironment, brokerFlags, type Launch } from "../../tools/launch.ts";

const root = join(import.meta.dirname, "../..");
const run = promisify(execFile);
const pollMs = 50;

/**
 * Bundles of the sources as they are now, or were when the folder's were made: every start of a run
 * takes the same, however the sources change meanwhile.
 */
export async function bundledLaunch(folder: string): Promise<Launch> {
  const entryOf = async (name: string, entry: string): Promise<string> => {
    const directory = join(folder, name);
    const made = join(directory, "current.json");
    if (!existsSync(made))
      await run(process.execPath, [join(root, "tools/bundle.ts"), directory, entry]);
    const current: unknown = JSON.parse(readFileSync(made, "utf8"));
    return join(directory, (current as { readonly bundle: string }).bundle);
  };
  const broker = await entryOf("broker", "broker-fargate/src/main.ts");
  const host = await entryOf("host", "broker-fargate/src/metadata-host/main.ts");
  return {
    broker: ["--enable-source-maps", ...brokerFlags, broker],
    host: ["--enable-source-maps", host],
    env: { ...brokerEnvironment, NODE_COMPILE_CACHE: join(folder, "compiled") },
  };
}

/** The first of so many consecutive ports, all of which were free a moment ago. */
export async function freePorts(count: number): Promise<number> {
  for (;;) {
    // Below those that the kernel gives to whoever asks for any: nobody gets one of them by chance.
    const first = 10_000 + Math.floor(Math.random() * 20_000);
    const ports = Array.from({ length: count }, (_, at) => first + at);
    if ((await Promise.all(ports.map((port) => isFree(port)))).every(Boolean)) return first;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

export interface RigOptions {
  readonly folder: string;
  readonly brokers: number;
  readonly launch: Launch;
  readonly settings: readonly string[];
  /** Where not on this machine. */
  readonly stores?: SharedStores;
}

export class Rig {
  readonly processes: ClusterProcesses;
  readonly #slots: SlotReader;

  private constructor(processes: ClusterProcesses, slots: SlotReader) {
    this.processes = processes;
    this.#slots = slots;
  }

  /** Resolves when every broker leads its share of the slots. */
  static async start(options: RigOptions): Promise<Rig> {
    const { brokers, folder, launch, settings, stores } = options;
    const processes = new ClusterProcesses({
      ...{ directory: folder, launch, settings, httpPort: undefined },
      port: await freePorts(brokers + 1),
      metadata: stores?.metadata,
      objects: stores?.objects,
    });
    const { metadataSocket } = processes.paths;
    const rig = new Rig(processes, await openSlotReader(stores?.metadata, metadataSocket));
    try {
      if (stores?.metadata === undefined) await processes.startHost();
      const ids = Array.from({ length: brokers }, (_, at) => at + 1);
      for (const id of ids) processes.startBroker(id);
      await Promise.all(ids.map((id) => processes.ready(id)));
      await rig.balanced();
      return rig;
    } catch (error) {
      await rig.end();
      throw error;
    }
  }

  get ports(): readonly number[] {
    return [...this.processes.brokers.keys()].map((broker) => this.processes.portOf(broker));
  }

  get bootstrap(): string {
    return this.ports.map((port) => `127.0.0.1:${port}`).join(",");
  }

  broker(id: number): ClusterProcess {
    const found = this.processes.brokers.get(id);
    if (found === undefined) throw new Error(`there is no broker ${id}`);
    return found;
  }

  /** Starts it, again or for the first time; resolves when it takes connections. */
  async start(id: number): Promise<void> {
    this.processes.startBroker(id);
    await this.processes.ready(id);
  }

  /** Resolves when every slot is led, by all that run, as evenly as can be, and none is to move. */
  async balanced(withinMs = 60_000): Promise<void> {
    const lateMs = performance.now() + withinMs;
    for (;;) {
      const found = await this.#slots.read();
      if (found !== undefined && this.#isBalanced(found)) return;
      if (performance.now() > lateMs)
        throw new Error(`not balanced in ${withinMs} ms: ${tell(found)}`);
      await sleep(pollMs);
    }
  }

  #isBalanced({ led, moving, slots }: LedSlots): boolean {
    const running = [...this.processes.brokers].filter(([, one]) => !one.hasEnded);
    const counts = running.map(([id]) => led.get(id) ?? 0);
    const total = counts.reduce((sum, count) => sum + count, 0);
    return moving === 0 && total === slots && Math.max(...counts) - Math.min(...counts) <= 1;
  }

  /** The ends of all logs, for a report. */
  logs(): string {
    return this.processes.all.map((one) => `--- ${one.name}\n${one.logTail()}`).join("\n");
  }

  /** No process is left. */
  async end(): Promise<void> {
    await this.#slots.close();
    this.processes.killAll();
    await Promise.all(this.processes.all.map((one) => one.gone));
  }
}

function tell(found: LedSlots | undefined): string {
  if (found === undefined) return "the metadata store does not answer";
  return `${[...found.led].map(([id, count]) => `${id}: ${count}`).join(", ")}, ${found.moving} are to move`;
}
