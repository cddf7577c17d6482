import type * as CloudMap from "@aws-sdk/client-servicediscovery";
import { asClusterId, type ClusterId, DriverError, type DriverResource } from "@millrace/core";
import { type AwsPlace, clusterTag, controlClientConfig } from "./control-client.ts";
import { asked, askedPlainly, driverError, isNamed } from "./driver-errors.ts";

export interface CloudMapNamesOptions extends AwsPlace {
  /** A private DNS namespace. */
  readonly namespaceId: string;
  /** Its domain. */
  readonly namespaceName: string;
}

export interface CloudMapName {
  readonly cluster: ClusterId;
  readonly broker: number;
  readonly serviceId: string;
  readonly arn: string;
}

/** How long clients may keep an address: a task that is started anew has another one. */
const dnsTtlSeconds = 10;

/** A DNS name for each broker, kept by a service of Cloud Map, in which ECS enters its task. */
export class CloudMapNames {
  readonly #sdk: typeof CloudMap;
  readonly #client: CloudMap.ServiceDiscoveryClient;
  readonly #options: CloudMapNamesOptions;

  private constructor(sdk: typeof CloudMap, options: CloudMapNamesOptions) {
    this.#sdk = sdk;
    this.#client = new sdk.ServiceDiscoveryClient(controlClientConfig(options));
    this.#options = options;
  }

  static async open(options: CloudMapNamesOptions): Promise<CloudMapNames> {
    return new CloudMapNames(await import("@aws-sdk/client-servicediscovery"), options);
  }

  /** As `b-1.cl-….millrace.internal`: a host's name has no `_`. */
  hostName(cluster: ClusterId, broker: number): string {
    return `${serviceName(cluster, broker)}.${this.#options.namespaceName}`;
  }

  /** For every broker that the cluster may ever have. */
  wildcard(cluster: ClusterId): string {
    return `*.${labelOf(cluster)}.${this.#options.namespaceName}`;
  }

  async ensure(cluster: ClusterId, broker: number): Promise<void> {
    const names = await this.of(cluster);
    if (names.some((name) => name.broker === broker)) return;
    const command = new this.#sdk.CreateServiceCommand({
      Name: serviceName(cluster, broker),
      NamespaceId: this.#options.namespaceId,
      DnsConfig: {
        RoutingPolicy: "MULTIVALUE",
        DnsRecords: [{ Type: "A", TTL: dnsTtlSeconds }],
      },
      // ECS says by it which task is healthy; Route 53 asks nobody.
      HealthCheckCustomConfig: { FailureThreshold: 1 },
      Tags: [{ Key: clusterTag, Value: cluster }],
    });
    await asked("a broker's name can't be made", () => this.#client.send(command), {
      names: ["ServiceAlreadyExists"],
      otherwise: undefined,
    });
  }

  async remove(cluster: ClusterId, broker: number): Promise<void> {
    const names = await this.of(cluster);
    for (const { serviceId } of names.filter((name) => name.broker === broker)) {
      await this.#removeService(serviceId);
    }
  }

  /** By broker, ascending. */
  async of(cluster: ClusterId): Promise<readonly CloudMapName[]> {
    const names = await this.#all();
    return names.filter((name) => name.cluster === cluster).toSorted((a, b) => a.broker - b.broker);
  }

  async list(): Promise<readonly DriverResource[]> {
    const names = await this.#all();
    return names.map(({ arn, cluster }) => ({ cluster, kind: "cloud map service", name: arn }));
  }

  close(): void {
    this.#client.destroy();
  }

  async #all(): Promise<readonly CloudMapName[]> {
    const found: CloudMapName[] = [];
    let token: string | undefined;
    do {
      const command = new this.#sdk.ListServicesCommand({
        Filters: [{ Name: "NAMESPACE_ID", Values: [this.#options.namespaceId], Condition: "EQ" }],
        NextToken: token,
      });
      const call = () => this.#client.send(command);
      const page = await askedPlainly("brokers' names can't be listed", call);
      found.push(...(page.Services ?? []).flatMap(nameOf));
      token = page.NextToken;
    } while (token !== undefined);
    return found;
  }

  async #removeService(serviceId: string): Promise<void> {
    const command = new this.#sdk.DeleteServiceCommand({ Id: serviceId });
    try {
      await this.#client.send(command);
    } catch (error) {
      if (isNamed(error, "ServiceNotFound")) return;
      if (!isNamed(error, "ResourceInUse")) {
        throw driverError("a broker's name can't be removed", error);
      }
      // ECS takes its tasks out by itself; one that it left behind would keep the name for ever.
      await this.#removeInstances(serviceId);
      const details = { retriable: true, applied: "no", cause: error } as const;
      throw new DriverError("a broker's name still has an address", details);
    }
  }

  async #removeInstances(serviceId: string): Promise<void> {
    const listing = new this.#sdk.ListInstancesCommand({ ServiceId: serviceId });
    const { Instances = [] } = await askedPlainly("a name's addresses can't be listed", () =>
      this.#client.send(listing),
    );
    for (const { Id } of Instances) {
      const command = new this.#sdk.DeregisterInstanceCommand({
        ...{ ServiceId: serviceId, InstanceId: Id },
      });
      await asked("a name's address can't be removed", () => this.#client.send(command), {
        names: ["InstanceNotFound", "ResourceInUse", "ServiceNotFound"],
        otherwise: undefined,
      });
    }
  }
}

function labelOf(cluster: ClusterId): string {
  return cluster.replace("_", "-");
}

function serviceName(cluster: ClusterId, broker: number): string {
  return `b-${broker}.${labelOf(cluster)}`;
}

function nameOf({ Arn, Id, Name }: CloudMap.ServiceSummary): readonly CloudMapName[] {
  const [, broker, label = ""] = /^b-(\d+)\.(cl-[0-9a-z]+)$/u.exec(Name ?? "") ?? [];
  const cluster = asClusterId(label.replace("-", "_"));
  if (cluster === undefined || Id === undefined || Arn === undefined) return [];
  return [{ cluster, broker: Number(broker), serviceId: Id, arn: Arn }];
}
