/**
 * Which broker has which port of the deployment's load balancer. The deployment made the listeners and
 * their target groups once; a broker takes one by a parameter of SSM named after the port, which is
 * there once only: `/millrace/listeners/9201` = `cl_…/1`. ECS enters the broker's task in the group.
 *
 * Promised: no port is two brokers'. Not promised: that a broker which asked twice at once is seen with
 * the same port by everybody before `ensure` has come to its end; then it has the lowest one.
 * All calls throw DriverError.
 */
import type * as Ssm from "@aws-sdk/client-ssm";
import { asClusterId, type ClusterId, DriverError, type DriverResource } from "@millrace/core";
import { type AwsPlace, clusterTag } from "./control-client.ts";
import { asked, askedPlainly } from "./driver-errors.ts";
import { namedParametersMax } from "./limits.ts";
import { openSsm, type SsmAccess } from "./ssm-client.ts";

export interface LoadBalancer {
  /** Its DNS name, by which clients find every listener. */
  readonly host: string;
  readonly listeners: readonly BrokerListener[];
}

export interface BrokerListener {
  readonly port: number;
  readonly targetGroupArn: string;
}

export interface BrokerListenersOptions extends AwsPlace {
  /** As `/millrace/`. */
  readonly parameterPrefix: string;
  readonly loadBalancer: LoadBalancer;
}

export interface TakenListener extends BrokerListener {
  readonly cluster: ClusterId;
  readonly broker: number;
}

export class BrokerListeners {
  readonly #sdk: typeof Ssm;
  readonly #client: Ssm.SSMClient;
  readonly #prefix: string;
  readonly #loadBalancer: LoadBalancer;

  private constructor(
    { client, sdk }: SsmAccess,
    { loadBalancer, parameterPrefix }: BrokerListenersOptions,
  ) {
    this.#sdk = sdk;
    this.#client = client;
    this.#prefix = `${parameterPrefix}listeners/`;
    this.#loadBalancer = loadBalancer;
  }

  static async open(options: BrokerListenersOptions): Promise<BrokerListeners> {
    return new BrokerListeners(await openSsm(options), options);
  }

  get host(): string {
    return this.#loadBalancer.host;
  }

  /** Takes the lowest port that is free, unless the broker has one. */
  async ensure(cluster: ClusterId, broker: number): Promise<void> {
    const taken = await this.#taken();
    if (!taken.some((one) => one.cluster === cluster && one.broker === broker)) {
      await this.#take(cluster, broker, new Set(taken.map(({ port }) => port)));
    }
    const own = await this.#of(cluster, broker);
    for (const { port } of own.slice(1)) await this.#free(port);
  }

  /** Of a cluster's brokers: those that have none are found by their names. */
  async of(cluster: ClusterId): Promise<readonly TakenListener[]> {
    const found = new Map<number, TakenListener>();
    for (const one of await this.#taken()) {
      if (one.cluster === cluster && !found.has(one.broker)) found.set(one.broker, one);
    }
    return [...found.values()];
  }

  async remove(cluster: ClusterId, broker: number): Promise<void> {
    for (const { port } of await this.#of(cluster, broker)) await this.#free(port);
  }

  /** All of a cluster's, those included that were taken for brokers which never got a name. */
  async clear(cluster: ClusterId): Promise<void> {
    for (const one of await this.#taken()) if (one.cluster === cluster) await this.#free(one.port);
  }

  async list(): Promise<readonly DriverResource[]> {
    return (await this.#taken()).map(({ cluster, port }) => {
      return { cluster, kind: "listener", name: this.#nameOf(port) };
    });
  }

  close(): void {
    this.#client.destroy();
  }

  async #take(cluster: ClusterId, broker: number, taken: ReadonlySet<number>): Promise<void> {
    for (const { port } of this.#loadBalancer.listeners) {
      if (taken.has(port)) continue;
      const command = new this.#sdk.PutParameterCommand({
        ...{ Name: this.#nameOf(port), Value: `${cluster}/${broker}`, Overwrite: false },
        ...{ Type: "String", Tier: "Standard", Tags: [{ Key: clusterTag, Value: cluster }] },
      });
      const put = await asked("a listener can't be taken", () => this.#client.send(command), {
        names: ["ParameterAlreadyExists"],
        otherwise: "exists",
      } as const);
      if (put !== "exists") return;
    }
    const { length } = this.#loadBalancer.listeners;
    const message = `the load balancer has ${length} listeners, and each is another broker's`;
    throw new DriverError(message, { retriable: false, applied: "no" });
  }

  /** By port, ascending. */
  async #taken(): Promise<readonly TakenListener[]> {
    const { listeners } = this.#loadBalancer;
    const found: TakenListener[] = [];
    for (let at = 0; at < listeners.length; at += namedParametersMax) {
      const Names = listeners
        .slice(at, at + namedParametersMax)
        .map(({ port }) => this.#nameOf(port));
      const command = new this.#sdk.GetParametersCommand({ Names });
      const call = () => this.#client.send(command);
      const { Parameters = [] } = await askedPlainly("listeners can't be looked at", call);
      found.push(...Parameters.flatMap((one) => this.#takenBy(one)));
    }
    return found.toSorted((a, b) => a.port - b.port);
  }

  #takenBy({ Name = "", Value = "" }: Ssm.Parameter): readonly TakenListener[] {
    const listener = this.#loadBalancer.listeners.find(({ port }) => this.#nameOf(port) === Name);
    const [id = "", broker] = Value.split("/");
    const cluster = asClusterId(id);
    if (listener === undefined || cluster === undefined) return [];
    return [{ ...listener, cluster, broker: Number(broker) }];
  }

  async #of(cluster: ClusterId, broker: number): Promise<readonly TakenListener[]> {
    const taken = await this.#taken();
    return taken.filter((one) => one.cluster === cluster && one.broker === broker);
  }

  async #free(port: number): Promise<void> {
    const command = new this.#sdk.DeleteParameterCommand({ Name: this.#nameOf(port) });
    await asked("a listener can't be freed", () => this.#client.send(command), {
      names: ["ParameterNotFound"],
      otherwise: undefined,
    });
  }

  #nameOf(port: number): string {
    return `${this.#prefix}${port}`;
  }
}
