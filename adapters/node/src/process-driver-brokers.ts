/** The broker processes of a cluster: started, looked at and ended. For who holds the folder. */
import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { type BrokerSpec, DriverError, type ObservedBroker } from "@millrace/core";
import { brokerStopMsMax, readinessMsMax } from "./limits.ts";
import {
  type BrokerFiles,
  type ClusterFolder,
  readText,
  removeTree,
  writePrivate,
} from "./process-driver-folder.ts";
import {
  livePid,
  logTail,
  type ProcessPlace,
  signalProcess,
  startDetached,
} from "./process-driver-processes.ts";
import type { ProcessLaunch } from "./process-driver-places.ts";
import {
  listenerSettings,
  propertiesText,
  storeSettings,
  type StorePlace,
} from "./process-driver-settings.ts";

export interface BrokerPorts {
  readonly port: number;
  readonly httpPort: number;
}

export interface BrokerStores {
  readonly metadata: StorePlace;
  readonly objects: StorePlace;
}

export class BrokerProcesses {
  readonly #launch: ProcessLaunch;

  constructor(launch: ProcessLaunch) {
    this.#launch = launch;
  }

  /** Undefined: it has no name. */
  ports(folder: ClusterFolder, broker: number): BrokerPorts | undefined {
    const text = readText(folder.name(broker));
    return text === undefined ? undefined : (JSON.parse(text) as BrokerPorts);
  }

  /** Throws DriverError. */
  async ensure(folder: ClusterFolder, spec: BrokerSpec, stores: BrokerStores): Promise<void> {
    const { broker, revision } = spec;
    const others = filesOf(folder, broker).filter((files) => files.revision !== revision);
    const wanted = folder.brokerFiles(broker, revision);
    if (livePid(placeOf(wanted)) !== undefined) return;
    // One after another, so that no two have one node.id. The caller comes again.
    if (this.#end(folder, broker, others) === "goes on") return;
    const ports = this.ports(folder, broker);
    if (ports === undefined) {
      const details = { retriable: false, applied: "no" } as const;
      throw new DriverError(`broker ${broker} has no name`, details);
    }
    rmSync(folder.stopping(broker), { force: true });
    mkdirSync(folder.brokerData(broker), { recursive: true });
    const settings = {
      ...spec.configs,
      "node.id": String(broker),
      ...storeSettings(stores),
      ...listenerSettings({ ...ports, pem: folder.secret("broker") }),
    };
    writePrivate(wanted.properties, propertiesText(settings));
    for (const files of others) removeFiles(files);
    await startDetached({
      ...placeOf(wanted),
      args: this.#arguments(folder, wanted),
      logPath: folder.brokerLog(broker),
      env: environment(this.#launch),
    });
  }

  /** Goes on when it is called again, until nothing of the broker is left. */
  remove(folder: ClusterFolder, broker: number): void {
    const all = filesOf(folder, broker);
    if (this.#end(folder, broker, all) === "goes on") return;
    removeTree(folder.brokerData(broker));
    rmSync(folder.brokerLog(broker), { force: true });
    rmSync(folder.stopping(broker), { force: true });
    // Last: as long as they are there, the broker is seen, and its removal goes on.
    for (const files of all) removeFiles(files);
  }

  async observe(folder: ClusterFolder): Promise<readonly ObservedBroker[]> {
    const brokers = [...new Set(folder.brokers().map(({ broker }) => broker))];
    return Promise.all(brokers.map((broker) => this.#observeOne(folder, broker)));
  }

  async #observeOne(folder: ClusterFolder, broker: number): Promise<ObservedBroker> {
    const all = filesOf(folder, broker);
    const live = all.filter((files) => livePid(placeOf(files)) !== undefined);
    const newest = all.at(-1)?.revision ?? 0;
    if (existsSync(folder.stopping(broker))) {
      // Either it is being removed, or a newer revision waits for its end.
      return { broker, revision: live.at(-1)?.revision ?? newest, state: "stopping" };
    }
    const [runs] = live;
    if (runs === undefined) {
      const detail = logTail(folder.brokerLog(broker));
      return { broker, revision: newest, state: "failed", detail };
    }
    const ports = this.ports(folder, broker);
    const isReady = ports !== undefined && (await saysReady(ports.httpPort));
    return { broker, revision: runs.revision, state: isReady ? "ready" : "starting" };
  }

  /** Tells them once, and ends them where that takes too long. */
  #end(
    folder: ClusterFolder,
    broker: number,
    files: readonly BrokerFiles[],
  ): "goes on" | "is over" {
    const live = files.map(placeOf).filter((place) => livePid(place) !== undefined);
    if (live.length === 0) return "is over";
    const told = statSync(folder.stopping(broker), { throwIfNoEntry: false });
    if (told === undefined) writeFileSync(folder.stopping(broker), "");
    const toldMs = told === undefined ? 0 : Date.now() - told.mtimeMs;
    const signal = toldMs > brokerStopMsMax ? "SIGKILL" : "SIGTERM";
    // A second SIGTERM has no effect, and the first one may have been lost with who sent it.
    for (const place of live) signalProcess(place, signal);
    return "goes on";
  }

  #arguments(folder: ClusterFolder, { broker, properties }: BrokerFiles): readonly string[] {
    const own = ["--data", folder.brokerData(broker), "--config", properties];
    return [...this.#launch.broker, ...own];
  }
}

function filesOf(folder: ClusterFolder, broker: number): readonly BrokerFiles[] {
  return folder.brokers().filter((files) => files.broker === broker);
}

function placeOf({ pid, properties }: BrokerFiles): ProcessPlace {
  return { pidPath: pid, ownArgument: properties };
}

function removeFiles({ pid, properties }: BrokerFiles): void {
  rmSync(pid, { force: true });
  rmSync(properties, { force: true });
}

/** A `KAFKA_…` of the control plane's is not meant for brokers. */
function environment({ env }: ProcessLaunch): Readonly<Record<string, string | undefined>> {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("KAFKA_"));
  return { ...Object.fromEntries(own), ...env };
}

/** What the broker's `/readyz` says. */
function saysReady(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const at = { host: "127.0.0.1", port, path: "/readyz", timeout: readinessMsMax, agent: false };
    const request = get(at, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on("timeout", () => request.destroy(new Error("no answer")));
    request.on("error", () => resolve(false));
  });
}
