/** Brokers as services of ECS, each with one Fargate task. All calls throw DriverError. */
import type * as Ecs from "@aws-sdk/client-ecs";
import {
  asClusterId,
  type BrokerSpec,
  clusterBrokersMax,
  type ClusterId,
  DriverError,
  type DriverResource,
  type ObservedBroker,
} from "@millrace/core";
import { type AwsPlace, clusterTag, controlClientConfig } from "./control-client.ts";
import { asked, askedPlainly, driverError } from "./driver-errors.ts";
import { EcsDefinitions } from "./ecs-definitions.ts";
import { observedService, serviceDetail } from "./ecs-observed.ts";
import {
  brokerPort,
  containerName,
  familyOf,
  type TaskOptions,
  type TaskPlace,
} from "./ecs-task-definition.ts";
import { brokerStartSecondsMax, describedServicesMax } from "./limits.ts";

export interface EcsServicesOptions extends Omit<AwsPlace, "region">, TaskOptions {
  /** Of ECS: its ARN or name. */
  readonly ecsCluster: string;
  readonly subnets: readonly string[];
  readonly securityGroups: readonly string[];
  /** Needed in subnets whose way out is an internet gateway. */
  readonly assignPublicIp: boolean;
}

/** Where a broker is found. */
export interface BrokerPlace {
  readonly place: TaskPlace;
  readonly registryArn: string;
  /** Of its listener at the load balancer, where it has one. */
  readonly targetGroupArn?: string;
}

export class EcsServices {
  readonly #sdk: typeof Ecs;
  readonly #client: Ecs.ECSClient;
  readonly #options: EcsServicesOptions;
  readonly #definitions: EcsDefinitions;

  private constructor(sdk: typeof Ecs, options: EcsServicesOptions) {
    this.#sdk = sdk;
    this.#client = new sdk.ECSClient(controlClientConfig(options));
    this.#options = options;
    this.#definitions = new EcsDefinitions(sdk, this.#client, options);
  }

  static async open(options: EcsServicesOptions): Promise<EcsServices> {
    return new EcsServices(await import("@aws-sdk/client-ecs"), options);
  }

  async ensure(cluster: ClusterId, spec: BrokerSpec, at: BrokerPlace): Promise<void> {
    const [service] = await this.#describe(cluster, [spec.broker]);
    // Of that name there is no other one before it has ended, which takes minutes. The caller comes
    // again, as long as it is seen to be stopping: to wait for it is no failure.
    if (service?.status === "DRAINING") return;
    const definition = await this.#definitions.ensure(cluster, spec, at.place);
    if (service === undefined) return this.#create(cluster, spec, { ...at, definition });
    const family = familyOf(this.#options.prefix, cluster, spec);
    const { revision, state } = observedService(service);
    const isWanted = service.taskDefinition?.includes(`/${family}:`) === true;
    if (isWanted && revision === spec.revision && state !== "failed") return;
    await this.#update(cluster, spec, { definition, ...otherListener(service, at) });
  }

  /** Goes on when it is called again, until nothing of the broker is left. */
  async remove(cluster: ClusterId, broker: number): Promise<void> {
    const [service] = await this.#describe(cluster, [broker]);
    if (service?.status === "DRAINING") return;
    if (service !== undefined) {
      const { ecsCluster } = this.#options;
      const name = this.#serviceName(cluster, broker);
      // The task gets SIGTERM, and hands over its slots.
      const input = { cluster: ecsCluster, service: name, force: true };
      const command = new this.#sdk.DeleteServiceCommand(input);
      await asked("a broker's service can't be deleted", () => this.#client.send(command), {
        names: ["ServiceNotFoundException", "ServiceNotActiveException"],
        otherwise: undefined,
      });
      return;
    }
    await this.#definitions.remove(cluster, broker);
  }

  /** By broker, ascending. */
  async observe(cluster: ClusterId): Promise<readonly ObservedBroker[]> {
    const all = Array.from({ length: clusterBrokersMax }, (_, at) => at + 1);
    const [services, defined] = await Promise.all([
      this.#describe(cluster, all),
      this.#definitions.of(cluster),
    ]);
    const found = new Map<number, ObservedBroker>();
    // Without a service: its creation, or its removal, was cut off.
    for (const { broker, revision } of defined) {
      found.set(broker, { broker, revision, state: "failed", detail: "it has no service" });
    }
    for (const service of services) {
      const broker = Number(/-(\d+)$/u.exec(service.serviceName ?? "")?.[1]);
      const { revision, state } = observedService(service);
      const detail = state === "failed" ? await this.#detail(service) : undefined;
      const told = detail === undefined ? {} : { detail };
      found.set(broker, { broker, revision, state, ...told });
    }
    return [...found.values()].toSorted((a, b) => a.broker - b.broker);
  }

  async list(): Promise<readonly DriverResource[]> {
    const { ecsCluster, prefix } = this.#options;
    const found: DriverResource[] = [];
    let token: string | undefined;
    do {
      const command = new this.#sdk.ListServicesCommand({
        ...{ cluster: ecsCluster, maxResults: 100, nextToken: token },
      });
      const call = () => this.#client.send(command);
      const page = await askedPlainly("services can't be listed", call);
      for (const arn of page.serviceArns ?? []) {
        const name = arn.split("/").at(-1) ?? "";
        const id = name.startsWith(prefix) ? name.slice(prefix.length).split("-")[0] : undefined;
        const cluster = asClusterId(id ?? "");
        if (cluster !== undefined) found.push({ cluster, kind: "ecs service", name: arn });
      }
      token = page.nextToken;
    } while (token !== undefined);
    return [...found, ...(await this.#definitions.list())];
  }

  close(): void {
    this.#client.destroy();
  }

  #serviceName(cluster: ClusterId, broker: number): string {
    return `${this.#options.prefix}${cluster}-${broker}`;
  }

  /** Those that are there, also while they drain. */
  async #describe(cluster: ClusterId, brokers: readonly number[]): Promise<readonly Ecs.Service[]> {
    const names = brokers.map((broker) => this.#serviceName(cluster, broker));
    const found: Ecs.Service[] = [];
    for (let at = 0; at < names.length; at += describedServicesMax) {
      const services = names.slice(at, at + describedServicesMax);
      const input = { cluster: this.#options.ecsCluster, services };
      const command = new this.#sdk.DescribeServicesCommand(input);
      const call = () => this.#client.send(command);
      const page = await askedPlainly("brokers' services can't be looked at", call);
      found.push(...(page.services ?? []));
    }
    return found.filter(({ status }) => status !== "INACTIVE");
  }

  async #create(
    cluster: ClusterId,
    { broker }: BrokerSpec,
    at: Omit<BrokerPlace, "place"> & { readonly definition: string },
  ): Promise<void> {
    const command = new this.#sdk.CreateServiceCommand({
      cluster: this.#options.ecsCluster,
      serviceName: this.#serviceName(cluster, broker),
      taskDefinition: at.definition,
      desiredCount: 1,
      launchType: "FARGATE",
      platformVersion: "LATEST",
      schedulingStrategy: "REPLICA",
      deploymentConfiguration: this.#deployment(),
      // It would start a second task before the first one has ended.
      availabilityZoneRebalancing: "DISABLED",
      networkConfiguration: this.#network(),
      serviceRegistries: [{ registryArn: at.registryArn }],
      ...behindListener(at.targetGroupArn),
      propagateTags: "SERVICE",
      enableECSManagedTags: true,
      enableExecuteCommand: false,
      tags: [{ key: clusterTag, value: cluster }],
    });
    try {
      await this.#client.send(command);
    } catch (error) {
      // It is there, or was a moment ago, though it could not be seen.
      const isThere =
        error instanceof Error && /not idempotent|still draining/iu.test(error.message);
      if (!isThere) throw driverError("a broker's service can't be made", error);
      const details = { retriable: true, applied: "no", cause: error } as const;
      throw new DriverError(`a broker's service is there already: ${error.message}`, details);
    }
  }

  async #update(
    cluster: ClusterId,
    { broker }: BrokerSpec,
    { definition, ...listener }: ReturnType<typeof otherListener> & { readonly definition: string },
  ): Promise<void> {
    const command = new this.#sdk.UpdateServiceCommand({
      cluster: this.#options.ecsCluster,
      service: this.#serviceName(cluster, broker),
      taskDefinition: definition,
      desiredCount: 1,
      deploymentConfiguration: this.#deployment(),
      networkConfiguration: this.#network(),
      ...listener,
      // Also where the definition is the one that failed.
      forceNewDeployment: true,
    });
    await askedPlainly("a broker's service can't be changed", () => this.#client.send(command));
  }

  /** Never two tasks of one node.id: the old one ends before the new one starts. */
  #deployment(): Ecs.DeploymentConfiguration {
    return {
      minimumHealthyPercent: 0,
      maximumPercent: 100,
      // Without a roll-back: what is there would no longer be what was asked for.
      deploymentCircuitBreaker: { enable: true, rollback: false },
    };
  }

  #network(): Ecs.NetworkConfiguration {
    const { assignPublicIp, securityGroups, subnets } = this.#options;
    return {
      awsvpcConfiguration: {
        subnets: [...subnets],
        securityGroups: [...securityGroups],
        assignPublicIp: assignPublicIp ? "ENABLED" : "DISABLED",
      },
    };
  }

  /** What the service and its last tasks say of their end. */
  async #detail(service: Ecs.Service): Promise<string> {
    const cluster = this.#options.ecsCluster;
    const listing = new this.#sdk.ListTasksCommand({
      ...{ cluster, serviceName: service.serviceName, desiredStatus: "STOPPED", maxResults: 5 },
    });
    const { taskArns = [] } = await askedPlainly("a broker's tasks can't be listed", () =>
      this.#client.send(listing),
    );
    if (taskArns.length === 0) return serviceDetail(service, []);
    const command = new this.#sdk.DescribeTasksCommand({ cluster, tasks: taskArns });
    const { tasks = [] } = await askedPlainly("a broker's tasks can't be looked at", () =>
      this.#client.send(command),
    );
    return serviceDetail(service, tasks);
  }
}

/** The load balancer came, or went, since the service was made: then its group is there no more. */
function otherListener(
  { loadBalancers = [] }: Ecs.Service,
  { targetGroupArn }: BrokerPlace,
): Pick<Ecs.UpdateServiceCommandInput, "loadBalancers" | "healthCheckGracePeriodSeconds"> {
  if (loadBalancers[0]?.targetGroupArn === targetGroupArn) return {};
  return { loadBalancers: [], ...behindListener(targetGroupArn) };
}

/** ECS enters the task's address in the group, and takes no answer for an end while it starts. */
function behindListener(
  targetGroupArn: string | undefined,
): Pick<Ecs.CreateServiceCommandInput, "loadBalancers" | "healthCheckGracePeriodSeconds"> {
  if (targetGroupArn === undefined) return {};
  return {
    loadBalancers: [{ targetGroupArn, containerName, containerPort: brokerPort }],
    healthCheckGracePeriodSeconds: brokerStartSecondsMax,
  };
}
