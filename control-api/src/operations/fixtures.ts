import { MemoryBrokerDriver, MemoryMetadataStore, SeededRandom } from "@millrace/adapter-memory";
import type {
  BrokerDriver,
  CertificateNames,
  Clock,
  ClusterId,
  ClusterStores,
  MetadataStore,
  Secret,
} from "@millrace/core";
import { makeAuthority, makeBrokerCertificate } from "../certificates/certificates.ts";
import type { ClusterOutcome, ClusterRecord, NewCluster } from "../clusters/cluster-record.ts";
import { ClusterRecords } from "../clusters/cluster-records.ts";
import { leaseMs } from "./limits.ts";
import type { OperationId } from "./operation-record.ts";
import { OperationRecords } from "./operation-records.ts";
import { OperationRunner, type RunOutcome } from "./runner.ts";

export const wanted: NewCluster = {
  name: "orders",
  spec: { brokers: 2, brokerSize: { cpu: 256, memoryMiB: 512 }, limits: {} },
  deletionProtection: false,
};

/** Time that nobody waits for: it moves on whenever someone would. */
export class EagerClock implements Clock {
  #nowMs = 1_700_000_000_000;

  wallMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): { cancel(): void } {
    const timer = setImmediate(() => {
      this.#nowMs += delayMs;
      run();
    });
    return { cancel: () => clearImmediate(timer) };
  }

  advance(ms: number): void {
    this.#nowMs += ms;
  }
}

/** What a runner that was killed met; none of the errors that anybody expects. */
export class Killed extends Error {
  override readonly name = "Killed";
}

/** What happens at the n-th call of a port, counted from 1. */
export type AtCall = (call: number, name: string) => "goes" | "dies before" | "dies after";

/** Ports as one runner sees them: from its death on, no call of it gets through. */
export class MortalPorts {
  readonly #atCall: AtCall;
  calls = 0;
  #isDead = false;

  constructor(atCall: AtCall = () => "goes") {
    this.#atCall = atCall;
  }

  wrap<Port extends object>(port: Port): Port {
    return new Proxy(port, {
      get: (target, property) => {
        const value: unknown = Reflect.get(target, property);
        if (typeof value !== "function") return value;
        const method = value.bind(target) as (...args: unknown[]) => unknown;
        if (property === "certificateNames" || property === "close") return method;
        return (...args: unknown[]) => this.#call(String(property), () => method(...args));
      },
    });
  }

  async #call(name: string, call: () => unknown): Promise<unknown> {
    if (this.#isDead) throw new Killed();
    this.calls += 1;
    const fate = this.#atCall(this.calls, name);
    if (fate === "dies before") this.#isDead = true;
    if (this.#isDead) throw new Killed();
    const result = await call();
    if (fate === "dies after") this.#isDead = true;
    if (this.#isDead) throw new Killed();
    const isStore = name === "objects" || name === "metadata";
    return isStore && typeof result === "object" && result !== null ? this.wrap(result) : result;
  }
}

/** By cluster: ids of two worlds of one seed are the same. */
const premade = new Map<ClusterId, Promise<readonly Secret[]>>();

async function makeSecrets(clock: Clock, names: CertificateNames): Promise<readonly Secret[]> {
  const authority = await makeAuthority(clock, { commonName: "authority" });
  const broker = await makeBrokerCertificate(clock, { commonName: "brokers", names, authority });
  return [
    { name: "authority", value: authority, over: "nothing" },
    { name: "broker", value: broker, over: "nothing" },
  ];
}

/** A control plane over memory. */
export class World {
  readonly clock: EagerClock = new EagerClock();
  readonly random: SeededRandom;
  readonly store: MemoryMetadataStore = new MemoryMetadataStore();
  readonly driver: MemoryBrokerDriver;
  readonly clusters: ClusterRecords;
  readonly operations: OperationRecords;
  #runners = 0;

  constructor(options: { readonly driver?: MemoryBrokerDriver; readonly seed?: number } = {}) {
    this.random = new SeededRandom(options.seed ?? 1);
    this.driver = options.driver ?? new MemoryBrokerDriver({ looks: 1 });
    const { clock, random, store } = this;
    this.clusters = new ClusterRecords({ store, clock, random });
    this.operations = new OperationRecords({ store, clock, random });
  }

  /** `holder`: two of one name take each other's lease for their own. */
  runner(
    ports: MortalPorts = new MortalPorts(),
    driver: BrokerDriver & ClusterStores = this.driver,
    holder = `runner-${(this.#runners += 1)}`,
  ): OperationRunner {
    const { clock, random } = this;
    const mortal = ports.wrap(driver);
    const store = ports.wrap<MetadataStore>(this.store);
    return new OperationRunner({ clock, random, driver: mortal, stores: mortal, store, holder });
  }

  /** By a runner that nothing happens to, when the leases of others are over. */
  async finish(id: OperationId): Promise<RunOutcome> {
    this.clock.advance(leaseMs + 1);
    return this.runner().run(id);
  }

  /** With a certificate that was made once for all worlds: to make one takes longer than all the rest. */
  async created(over: Partial<NewCluster> = {}): Promise<ClusterRecord> {
    const { cluster, operation } = begun(await this.clusters.create({ ...wanted, ...over }));
    const { id } = cluster;
    const made = premade.get(id) ?? makeSecrets(this.clock, this.driver.certificateNames(id));
    premade.set(id, made);
    for (const secret of await made) await this.driver.putSecret(id, secret);
    await this.finish(operation);
    return this.cluster(cluster.id);
  }

  async cluster(id: ClusterId): Promise<ClusterRecord> {
    const found = await this.clusters.find(id);
    if (found === undefined) throw new Error(`there is no cluster ${id}`);
    return found;
  }

  async putObjects(id: ClusterId, count: number): Promise<void> {
    const objects = await this.driver.objects(id);
    for (let at = 0; at < count; at += 1) await objects.putIfAbsent(`data/${at}`, []);
  }
}

/** Throws where no operation began. */
export function begun(outcome: ClusterOutcome): Extract<ClusterOutcome, { kind: "started" }> {
  if (outcome.kind !== "started") throw new Error(`nothing began: ${JSON.stringify(outcome)}`);
  return outcome;
}
