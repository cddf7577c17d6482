/**
 * Brokers on AWS: a service of ECS with one Fargate task each, a DNS name each by Cloud Map, keys in
 * SSM, metadata in a DynamoDB table of the cluster's own.
 *
 * Not promised: that what ECS, Cloud Map and SSM list shows what was made a moment ago; repeating a
 * call is harmless. That a task which is cut off from ECS has ended before another is started: what
 * makes that harmless is that a broker owns only what its incarnation's items say.
 */
import type {
  BrokerDriver,
  BrokerSpec,
  CertificateNames,
  Clock,
  ClusterId,
  ClusterPart,
  DriverResource,
  ObservedCluster,
  Random,
  Secret,
  SecretName,
} from "@millrace/core";
import { clusterBrokersMax, DriverError } from "@millrace/core";
import { BrokerListeners, type LoadBalancer, type TakenListener } from "./broker-listeners.ts";
import { CloudMapNames } from "./cloud-map.ts";
import { DynamoDbClusterTables } from "./cluster-tables.ts";
import type { AwsPlace } from "./control-client.ts";
import { EcsServices, type EcsServicesOptions } from "./ecs-services.ts";
import { brokerPort } from "./ecs-task-definition.ts";
import { SsmSecrets } from "./ssm-secrets.ts";

export interface EcsDriverOptions
  extends Omit<EcsServicesOptions, "endpoint" | "credentials">,
    Pick<AwsPlace, "credentials"> {
  readonly clock: Clock;
  readonly random: Random;
  /** What the names of tables begin with, and of services if nothing else is said. */
  readonly prefix: string;
  /** As `/millrace/`. */
  readonly parameterPrefix: string;
  readonly namespaceId: string;
  readonly namespaceName: string;
  /** Absent: clients find brokers by their names in the network. */
  readonly loadBalancer?: LoadBalancer;
  /** Of what stands in for AWS. */
  readonly endpoints?: {
    readonly ecs?: string;
    readonly serviceDiscovery?: string;
    readonly ssm?: string;
    readonly dynamodb?: string;
  };
}

interface Parts {
  readonly services: EcsServices;
  readonly names: CloudMapNames;
  readonly listeners: BrokerListeners | undefined;
  readonly secrets: SsmSecrets;
  readonly tables: DynamoDbClusterTables;
}

type OwnListener = TakenListener & { readonly host: string };

export class EcsDriver implements BrokerDriver {
  readonly #parts: Parts;

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Loads the SDK's clients. */
  static async open(options: EcsDriverOptions): Promise<EcsDriver> {
    const { endpoints = {}, loadBalancer, ...rest } = options;
    const at = (endpoint: string | undefined) => (endpoint === undefined ? {} : { endpoint });
    const ssm = at(endpoints.ssm);
    const [services, names, secrets, tables, listeners] = await Promise.all([
      EcsServices.open({ ...rest, ...at(endpoints.ecs) }),
      CloudMapNames.open({ ...rest, ...at(endpoints.serviceDiscovery) }),
      SsmSecrets.open({ ...rest, ...ssm }),
      DynamoDbClusterTables.open({ ...rest, ...at(endpoints.dynamodb), isRecoverable: true }),
      loadBalancer === undefined
        ? undefined
        : BrokerListeners.open({ ...rest, ...ssm, loadBalancer }),
    ]);
    return new EcsDriver({ services, names, secrets, tables, listeners });
  }

  certificateNames(cluster: ClusterId): CertificateNames {
    const { listeners, names } = this.#parts;
    const hosts = Array.from({ length: clusterBrokersMax }, (_, at) =>
      names.hostName(cluster, at + 1),
    );
    const balanced = listeners === undefined ? [] : [listeners.host];
    return { dnsNames: [...hosts, names.wildcard(cluster), ...balanced], ipAddresses: [] };
  }

  ensureStore(cluster: ClusterId): Promise<void> {
    return this.#parts.tables.ensure(cluster);
  }

  putSecret(cluster: ClusterId, secret: Secret): Promise<"kept" | "exists"> {
    return this.#parts.secrets.put(cluster, secret);
  }

  readSecret(cluster: ClusterId, name: SecretName): Promise<string | undefined> {
    return this.#parts.secrets.read(cluster, name);
  }

  /** The listener first: who has a name is taken for one that can be found. */
  async ensureName(cluster: ClusterId, broker: number): Promise<void> {
    await this.#parts.listeners?.ensure(cluster, broker);
    await this.#parts.names.ensure(cluster, broker);
  }

  async ensureBroker(cluster: ClusterId, spec: BrokerSpec): Promise<void> {
    const { names, secrets, services, tables } = this.#parts;
    const name = (await names.of(cluster)).find(({ broker }) => broker === spec.broker);
    if (name === undefined) {
      // Cloud Map's list may not show yet what was made a moment ago.
      const details = { retriable: true, applied: "no" } as const;
      throw new DriverError(`broker ${spec.broker} has no name yet`, details);
    }
    const listener = (await this.#listenersOf(cluster)).get(spec.broker);
    const place = {
      hostName: listener?.host ?? names.hostName(cluster, spec.broker),
      port: listener?.port ?? brokerPort,
      metadata: tables.place(cluster).uri,
      secret: secrets.parameterName(cluster, "broker"),
    };
    const target = listener === undefined ? {} : { targetGroupArn: listener.targetGroupArn };
    await services.ensure(cluster, spec, { place, registryArn: name.arn, ...target });
  }

  async remove(cluster: ClusterId, part: ClusterPart): Promise<void> {
    const { listeners, secrets, services, tables } = this.#parts;
    switch (part.kind) {
      case "broker":
        return services.remove(cluster, part.broker);
      case "name":
        return this.#removeName(cluster, part.broker);
      case "secret":
        return secrets.remove(cluster, part.name);
      case "store":
        await listeners?.clear(cluster);
        return tables.remove(cluster);
    }
  }

  async observe(cluster: ClusterId): Promise<ObservedCluster> {
    const { names, secrets, services, tables } = this.#parts;
    const [store, kept, named, brokers, listeners] = await Promise.all([
      tables.state(cluster),
      secrets.kept(cluster),
      names.of(cluster),
      services.observe(cluster),
      this.#listenersOf(cluster),
    ]);
    const addresses = named.map(({ broker }) => {
      const listener = listeners.get(broker);
      const host = listener?.host ?? names.hostName(cluster, broker);
      return { broker, host, port: listener?.port ?? brokerPort };
    });
    return { store, secrets: kept, names: addresses, brokers };
  }

  async list(): Promise<readonly DriverResource[]> {
    const { listeners, names, secrets, services, tables } = this.#parts;
    const found = await Promise.all([
      ...[services.list(), names.list(), secrets.list(), tables.list()],
      ...(listeners === undefined ? [] : [listeners.list()]),
    ]);
    return found.flat();
  }

  close(): void {
    const { listeners, names, secrets, services, tables } = this.#parts;
    for (const part of [names, secrets, services, tables, listeners]) part?.close();
  }

  /** The name goes last: for as long as it is there, what is left of it is asked for again. */
  async #removeName(cluster: ClusterId, broker: number): Promise<void> {
    await this.#parts.listeners?.remove(cluster, broker);
    await this.#parts.names.remove(cluster, broker);
  }

  /** By broker. One that was made before there was a load balancer has none. */
  async #listenersOf(cluster: ClusterId): Promise<ReadonlyMap<number, OwnListener>> {
    const { listeners } = this.#parts;
    if (listeners === undefined) return new Map();
    const taken = await listeners.of(cluster);
    return new Map(taken.map((one) => [one.broker, { ...one, host: listeners.host }]));
  }
}
