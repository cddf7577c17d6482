/** The process that hosts a cluster's metadata, as the process driver starts and ends it. */
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { connect, type NetConnectOpts } from "node:net";
import {
  type Clock,
  type ClusterId,
  DriverError,
  type DriverResource,
  MetadataError,
  type MetadataStore,
  type ObservedCluster,
  type Random,
} from "@millrace/core";
import { hostStopMsMax } from "./limits.ts";
import { HostedMetadataStore } from "./metadata-host-store.ts";
import { ClusterFolder, clustersIn, removeTree } from "./process-driver-folder.ts";
import {
  livePid,
  type ProcessPlace,
  signalProcess,
  startDetached,
} from "./process-driver-processes.ts";
import type { ClusterTables, ProcessLaunch } from "./process-driver-places.ts";
import type { StorePlace } from "./process-driver-settings.ts";
import { assertSocketPath } from "./socket-path.ts";

export interface MetadataProcessOptions {
  readonly folder: string;
  readonly launch: ProcessLaunch;
  readonly clock: Clock;
  readonly random: Random;
}

const pollMs = 20;

export class MetadataProcess implements ClusterTables {
  readonly #options: MetadataProcessOptions;

  constructor(options: MetadataProcessOptions) {
    this.#options = options;
  }

  place(cluster: ClusterId): StorePlace {
    return { uri: `unix:${this.#folder(cluster).metadataSocket}` };
  }

  async ensure(cluster: ClusterId): Promise<void> {
    const folder = this.#folder(cluster);
    const place = placeOf(folder);
    if (livePid(place) !== undefined) return;
    assertPath(folder.metadataSocket);
    mkdirSync(folder.hostDirectory, { recursive: true });
    const { env, host } = this.#options.launch;
    const own = ["--dir", folder.hostDirectory, "--socket", folder.metadataSocket];
    await startDetached({
      ...place,
      args: [...host, ...own],
      logPath: `${folder.hostDirectory}.log`,
      env: { ...process.env, ...env },
    });
  }

  /** A host that died is `stopped`: it is to be started again, on what it left. */
  async state(cluster: ClusterId): Promise<ObservedCluster["store"]> {
    const folder = this.#folder(cluster);
    if (existsSync(removingPath(folder))) return "removing";
    if (livePid(placeOf(folder)) === undefined) {
      return existsSync(folder.hostDirectory) ? "stopped" : "absent";
    }
    return (await isListening({ path: folder.metadataSocket })) ? "ready" : "creating";
  }

  async remove(cluster: ClusterId): Promise<void> {
    const folder = this.#folder(cluster);
    const place = placeOf(folder);
    mkdirSync(removingPath(folder), { recursive: true });
    signalProcess(place, "SIGTERM");
    const lateMs = performance.now() + hostStopMsMax;
    while (livePid(place) !== undefined) {
      // All its items are to go: whatever it has not written yet does not matter.
      if (performance.now() > lateMs) signalProcess(place, "SIGKILL");
      await new Promise<void>((resolve) => this.#options.clock.after(pollMs, resolve));
    }
    removeTree(folder.hostDirectory);
    for (const path of [folder.metadataSocket, `${folder.hostDirectory}.log`, place.pidPath]) {
      rmSync(path, { force: true });
    }
    removeTree(removingPath(folder));
  }

  async open(cluster: ClusterId): Promise<MetadataStore> {
    const { clock, random } = this.#options;
    const socketPath = this.#folder(cluster).metadataSocket;
    return new HostedMetadataStore({ socketPath, clock, random });
  }

  async list(): Promise<readonly DriverResource[]> {
    return clustersIn(this.#options.folder).flatMap((cluster) => {
      const { hostDirectory } = this.#folder(cluster);
      if (!existsSync(hostDirectory)) return [];
      return [{ cluster, kind: "metadata host", name: hostDirectory }];
    });
  }

  #folder(cluster: ClusterId): ClusterFolder {
    return new ClusterFolder(this.#options.folder, cluster);
  }
}

function placeOf({ hostDirectory }: ClusterFolder): ProcessPlace {
  return { pidPath: `${hostDirectory}.pid`, ownArgument: hostDirectory };
}

function removingPath({ hostDirectory }: ClusterFolder): string {
  return `${hostDirectory}.removing`;
}

function assertPath(socket: string): void {
  try {
    assertSocketPath(socket);
  } catch (error) {
    if (!(error instanceof MetadataError)) throw error;
    const details = { retriable: false, applied: "no", cause: error } as const;
    throw new DriverError(error.message, details);
  }
}

/** Whether somebody takes connections there. */
export function isListening(at: NetConnectOpts): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(at, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
