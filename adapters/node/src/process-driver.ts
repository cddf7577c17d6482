/**
 * Brokers as processes of this machine. They are nobody's children: they outlive the control plane,
 * and any process that has the same folder goes on with them. What is there is read from files, from
 * the kernel and from the brokers themselves each time; nothing is kept in memory.
 *
 * Not promised: that memory and CPU of a broker are bounded, or that a broker which dies is started
 * again by itself (`ensureBroker` does).
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import {
  type BrokerDriver,
  type BrokerSpec,
  type CertificateNames,
  type Clock,
  type ClusterId,
  type ClusterPart,
  type ClusterStores,
  type DriverResource,
  type MetadataStore,
  type ObjectStore,
  type ObservedCluster,
  type Random,
  type Secret,
  type SecretName,
} from "@millrace/core";
import { FileObjectStore } from "./object-files.ts";
import { BrokerProcesses } from "./process-driver-brokers.ts";
import {
  ClusterFolder,
  clustersIn,
  readText,
  removeTree,
  writePrivate,
} from "./process-driver-folder.ts";
import { MetadataProcess } from "./process-driver-host.ts";
import { inFolder } from "./process-driver-lock.ts";
import type { ClusterTables, ObjectPlaces, ProcessLaunch } from "./process-driver-places.ts";
import { defaultPorts, KeptPorts, type PortRange } from "./process-driver-ports.ts";
import { brokerHost, type StorePlace } from "./process-driver-settings.ts";

export type { ClusterTables, ObjectPlaces, ProcessLaunch } from "./process-driver-places.ts";
export { isListening } from "./process-driver-host.ts";
export { storeSettings, type StorePlace } from "./process-driver-settings.ts";

export interface ProcessDriverOptions {
  /** Where everything is kept. One that is deep down makes a socket's path too long. */
  readonly folder: string;
  readonly launch: ProcessLaunch;
  readonly clock: Clock;
  readonly random: Random;
  /** Where the metadata lie, if no process is to host them. */
  readonly tables?: ClusterTables;
  /** Where objects lie, if not in files below the folder. */
  readonly objects?: ObjectPlaces;
  readonly ports?: PortRange;
}

export class ProcessDriver implements BrokerDriver, ClusterStores {
  readonly #options: ProcessDriverOptions;
  readonly #tables: ClusterTables;
  readonly #objects: ObjectPlaces;
  readonly #ports: KeptPorts;
  readonly #brokers: BrokerProcesses;

  constructor(options: ProcessDriverOptions) {
    const { folder, launch, ports = defaultPorts, random } = options;
    this.#options = options;
    this.#tables = options.tables ?? new MetadataProcess(options);
    this.#objects = options.objects ?? new ObjectFolders(join(folder, "objects"));
    this.#ports = new KeptPorts(folder, ports, random);
    this.#brokers = new BrokerProcesses(launch);
  }

  certificateNames(): CertificateNames {
    return { dnsNames: [brokerHost], ipAddresses: ["127.0.0.1"] };
  }

  ensureStore(cluster: ClusterId): Promise<void> {
    return this.#changing(cluster, () => this.#tables.ensure(cluster));
  }

  putSecret(cluster: ClusterId, { name, over, value }: Secret): Promise<"kept" | "exists"> {
    return this.#changing(cluster, async (folder) => {
      const path = folder.secret(name);
      if (over === "nothing" && readText(path) !== undefined) return "exists";
      writePrivate(path, value);
      return "kept";
    });
  }

  async readSecret(cluster: ClusterId, name: SecretName): Promise<string | undefined> {
    return readText(this.#folder(cluster).secret(name));
  }

  ensureName(cluster: ClusterId, broker: number): Promise<void> {
    return this.#changing(cluster, async (folder) => {
      if (this.#brokers.ports(folder, broker) !== undefined) return;
      const owner = `${cluster}.${broker}`;
      // What a caller took who did not come so far as to write it down.
      this.#ports.giveBack(owner);
      const ports = {
        port: await this.#ports.take(owner),
        httpPort: await this.#ports.take(owner),
      };
      writePrivate(folder.name(broker), JSON.stringify(ports));
    });
  }

  ensureBroker(cluster: ClusterId, spec: BrokerSpec): Promise<void> {
    const stores = {
      metadata: this.#tables.place(cluster),
      objects: this.#objects.place(cluster),
    };
    return this.#changing(cluster, (folder) => this.#brokers.ensure(folder, spec, stores));
  }

  remove(cluster: ClusterId, part: ClusterPart): Promise<void> {
    return this.#changing(cluster, async (folder) => {
      switch (part.kind) {
        case "broker":
          this.#brokers.remove(folder, part.broker);
          break;
        case "name":
          this.#ports.giveBack(`${cluster}.${part.broker}`);
          rmSync(folder.name(part.broker), { force: true });
          break;
        case "secret":
          rmSync(folder.secret(part.name), { force: true });
          break;
        case "store":
          await this.#tables.remove(cluster);
          break;
      }
      folder.removeEmpty();
    });
  }

  async observe(cluster: ClusterId): Promise<ObservedCluster> {
    const folder = this.#folder(cluster);
    const [store, brokers] = await Promise.all([
      this.#tables.state(cluster),
      this.#brokers.observe(folder),
    ]);
    const names = folder.named().flatMap((broker) => {
      const ports = this.#brokers.ports(folder, broker);
      return ports === undefined ? [] : [{ broker, host: brokerHost, port: ports.port }];
    });
    const secrets = secretNames.filter((name) => readText(folder.secret(name)) !== undefined);
    return { store, secrets, names, brokers };
  }

  async list(): Promise<readonly DriverResource[]> {
    const found: DriverResource[] = [];
    for (const cluster of clustersIn(this.#options.folder)) {
      const folder = this.#folder(cluster);
      for (const { pid } of folder.brokers()) found.push({ cluster, kind: "process", name: pid });
      for (const broker of folder.named()) {
        found.push({ cluster, kind: "ports", name: folder.name(broker) });
      }
      const secrets = secretNames.map((name) => folder.secret(name));
      for (const name of secrets.filter((path) => readText(path) !== undefined)) {
        found.push({ cluster, kind: "secret", name });
      }
    }
    return [...found, ...(await this.#tables.list()), ...(await this.#objects.list())];
  }

  metadata(cluster: ClusterId): Promise<MetadataStore> {
    return this.#tables.open(cluster);
  }

  objects(cluster: ClusterId): Promise<ObjectStore> {
    return this.#objects.open(cluster);
  }

  #folder(cluster: ClusterId): ClusterFolder {
    return new ClusterFolder(this.#options.folder, cluster);
  }

  /** One change of a cluster at once, whichever process makes it. */
  #changing<Result>(
    cluster: ClusterId,
    change: (folder: ClusterFolder) => Promise<Result>,
  ): Promise<Result> {
    const folder = this.#folder(cluster);
    return inFolder(folder.path, this.#options.clock, () => change(folder));
  }
}

const secretNames: readonly SecretName[] = ["authority", "broker"];

/** Objects as files, a folder for each cluster. */
class ObjectFolders implements ObjectPlaces {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  place(cluster: ClusterId): StorePlace {
    return { uri: `file:${join(this.#root, cluster)}` };
  }

  async list(): Promise<readonly DriverResource[]> {
    return clustersIn(this.#root).map((cluster) => {
      return { cluster, kind: "objects", name: join(this.#root, cluster) };
    });
  }

  async open(cluster: ClusterId): Promise<ObjectStore> {
    const path = join(this.#root, cluster);
    const store = await FileObjectStore.open(path);
    const close = store.close.bind(store);
    // Nothing but the folder is left of a cluster that was deleted.
    store.close = async () => {
      const isEmpty = (await store.list({ prefix: "", limit: 1 })).objects.length === 0;
      await close();
      if (isEmpty) removeTree(path);
    };
    return store;
  }
}
