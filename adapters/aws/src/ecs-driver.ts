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
  readonly secrets: SsmSecrets;
  readonly tables: DynamoDbClusterTables;
}

export class EcsDriver implements BrokerDriver {
  readonly #parts: Parts;

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Loads the SDK's clients. */
  static async open(options: EcsDriverOptions): Promise<EcsDriver> {
    const { endpoints = {}, ...rest } = options;
    const at = (endpoint: string | undefined) => (endpoint === undefined ? {} : { endpoint });
    const [services, names, secrets, tables] = await Promise.all([
      EcsServices.open({ ...rest, ...at(endpoints.ecs) }),
      CloudMapNames.open({ ...rest, ...at(endpoints.serviceDiscovery) }),
      SsmSecrets.open({ ...rest, ...at(endpoints.ssm) }),
      DynamoDbClusterTables.open({ ...rest, ...at(endpoints.dynamodb) }),
    ]);
    return new EcsDriver({ services, names, secrets, tables });
  }

  certificateNames(cluster: ClusterId): CertificateNames {
    const { names } = this.#parts;
    const hosts = Array.from({ length: clusterBrokersMax }, (_, at) =>
      names.hostName(cluster, at + 1),
    );
    return { dnsNames: [...hosts, names.wildcard(cluster)], ipAddresses: [] };
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

  ensureName(cluster: ClusterId, broker: number): Promise<void> {
    return this.#parts.names.ensure(cluster, broker);
  }

  async ensureBroker(cluster: ClusterId, spec: BrokerSpec): Promise<void> {
    const { names, secrets, services, tables } = this.#parts;
    const name = (await names.of(cluster)).find(({ broker }) => broker === spec.broker);
    if (name === undefined) {
      // Cloud Map's list may not show yet what was made a moment ago.
      const details = { retriable: true, applied: "no" } as const;
      throw new DriverError(`broker ${spec.broker} has no name yet`, details);
    }
    const place = {
      hostName: names.hostName(cluster, spec.broker),
      metadata: tables.place(cluster).uri,
      secret: secrets.parameterName(cluster, "broker"),
    };
    await services.ensure(cluster, spec, { place, registryArn: name.arn });
  }

  async remove(cluster: ClusterId, part: ClusterPart): Promise<void> {
    const { names, secrets, services, tables } = this.#parts;
    switch (part.kind) {
      case "broker":
        return services.remove(cluster, part.broker);
      case "name":
        return names.remove(cluster, part.broker);
      case "secret":
        return secrets.remove(cluster, part.name);
      case "store":
        return tables.remove(cluster);
    }
  }

  async observe(cluster: ClusterId): Promise<ObservedCluster> {
    const { names, secrets, services, tables } = this.#parts;
    const [store, kept, named, brokers] = await Promise.all([
      tables.state(cluster),
      secrets.kept(cluster),
      names.of(cluster),
      services.observe(cluster),
    ]);
    const addresses = named.map(({ broker }) => ({
      ...{ broker, host: names.hostName(cluster, broker), port: brokerPort },
    }));
    return { store, secrets: kept, names: addresses, brokers };
  }

  async list(): Promise<readonly DriverResource[]> {
    const { names, secrets, services, tables } = this.#parts;
    const found = await Promise.all([services.list(), names.list(), secrets.list(), tables.list()]);
    return found.flat();
  }

  close(): void {
    const { names, secrets, services, tables } = this.#parts;
    for (const part of [names, secrets, services, tables]) part.close();
  }
}
