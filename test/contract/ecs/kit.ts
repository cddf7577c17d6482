import { CreateClusterCommand, ECSClient } from "@aws-sdk/client-ecs";
import {
  CreatePrivateDnsNamespaceCommand,
  ListNamespacesCommand,
  ServiceDiscoveryClient,
} from "@aws-sdk/client-servicediscovery";
import { EcsDriver, type EcsDriverOptions } from "@millrace/adapter-aws/ecs-driver";
import { SystemClock, SystemRandom } from "@millrace/adapter-node";
import { clusterBrokersMax } from "@millrace/core";
import type { StandIn } from "../stand-in.ts";
import { startAws } from "./aws-server.ts";

const region = "eu-central-1";
const credentials = { accessKeyId: "nobody", secretAccessKey: "nothing" };

const policyNames: Readonly<Record<string, string>> = {
  AmazonEC2ContainerServiceV20141113: "ecs",
  Route53AutoNaming_v20170314: "servicediscovery",
  AmazonSSM: "ssm",
  DynamoDB_20120810: "dynamodb",
};

/** What a deployment has, on moto: where brokers run, and the namespace of their names. */
export class EcsKit {
  readonly driver: EcsDriver;
  /** Of a deployment with a load balancer. */
  readonly balanced: EcsDriver;
  readonly ecs: ECSClient;
  readonly #server: StandIn;
  readonly #options: EcsDriverOptions;

  private constructor(
    server: StandIn,
    options: EcsDriverOptions,
    { balanced, driver, ecs }: Pick<EcsKit, "balanced" | "driver" | "ecs">,
  ) {
    this.#server = server;
    this.#options = options;
    this.ecs = ecs;
    this.driver = driver;
    this.balanced = balanced;
  }

  static async start(): Promise<EcsKit> {
    const server = await startAws();
    const { endpoint } = server;
    const ecs = new ECSClient({ endpoint, region, credentials });
    await ecs.send(new CreateClusterCommand({ clusterName: "brokers" }));
    const options: EcsDriverOptions = {
      ...{ clock: new SystemClock(), random: new SystemRandom(), region, credentials },
      ...{ prefix: "millrace-", parameterPrefix: "/millrace/" },
      ...{ namespaceId: await makeNamespace(endpoint), namespaceName: "millrace.internal" },
      ...{ ecsCluster: "brokers", image: "example.com/millrace:1", logGroup: "millrace" },
      executionRoleArn: "arn:aws:iam::123456789012:role/start",
      taskRoleArn: "arn:aws:iam::123456789012:role/broker",
      subnets: [await idIn(endpoint, "DescribeSubnets", /subnet-[0-9a-f]+/u)],
      securityGroups: [await idIn(endpoint, "DescribeSecurityGroups", /sg-[0-9a-f]+/u)],
      ...{ assignPublicIp: true, diskGiB: 30, bucket: "objects" },
      endpoints: { ecs: endpoint, serviceDiscovery: endpoint, ssm: endpoint, dynamodb: endpoint },
    };
    const [driver, balanced] = await Promise.all([
      EcsDriver.open(options),
      EcsDriver.open({ ...options, ...balancer(clusterBrokersMax) }),
    ]);
    return new EcsKit(server, options, { ecs, driver, balanced });
  }

  /** The same deployment, brought to something else. Who opens it closes it. */
  open(over: Partial<EcsDriverOptions>): Promise<EcsDriver> {
    return EcsDriver.open({ ...this.#options, ...over });
  }

  /** The requests of a kind to ECS: moto forgets some of what it is told. */
  async askedFor(operation: string): Promise<readonly unknown[]> {
    const target = `AmazonEC2ContainerServiceV20141113.${operation}`;
    return (await this.#asked()).flatMap(([name, input]) => (name === target ? [input] : []));
  }

  /** What an IAM policy calls the requests of the driver, and of this kit. */
  async actions(): Promise<ReadonlySet<string>> {
    const actions = (await this.#asked()).map(([target]) => {
      const [service = "", operation = ""] = target.split(".");
      return `${policyNames[service] ?? service}:${operation}`;
    });
    return new Set(actions);
  }

  async #asked(): Promise<readonly (readonly [string, unknown])[]> {
    const response = await fetch(`${this.#server.endpoint}/asked`);
    return (await response.json()) as readonly (readonly [string, unknown])[];
  }

  /** One request fails, when so many others were answered, before or after its effect. */
  async refuseAfter(requests: number, effect: "before" | "after"): Promise<void> {
    await fetch(`${this.#server.endpoint}/refuse?${requests},${effect}`);
  }

  /** How many requests there were. */
  async requests(): Promise<number> {
    return (await this.#asked()).length;
  }

  /** Resolves when what goes on of a run that failed, of its calls side by side, has come. */
  async quiet(): Promise<void> {
    for (let [before, now] = [-1, await this.requests()]; before !== now; ) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      [before, now] = [now, await this.requests()];
    }
  }

  async stop(): Promise<void> {
    this.driver.close();
    this.balanced.close();
    this.ecs.destroy();
    await this.#server.stop();
  }
}

/** With so many listeners, from port 9201 on. */
export function balancer(count: number): Required<Pick<EcsDriverOptions, "loadBalancer">> {
  const ports = Array.from({ length: count }, (_, at) => 9_201 + at);
  const listeners = ports.map((port) => ({ port, targetGroupArn: groupArn(port) }));
  return { loadBalancer: { host: "balancer.example", listeners } };
}

export function groupArn(port: number): string {
  const account = `arn:aws:elasticloadbalancing:${region}:123456789012`;
  return `${account}:targetgroup/broker-${port}/0123456789abcdef`;
}

async function makeNamespace(endpoint: string): Promise<string> {
  const client = new ServiceDiscoveryClient({ endpoint, region, credentials });
  const named = { Name: "millrace.internal", Vpc: "vpc-1" };
  await client.send(new CreatePrivateDnsNamespaceCommand(named));
  const { Namespaces = [] } = await client.send(new ListNamespacesCommand({}));
  client.destroy();
  return Namespaces[0]?.Id ?? "";
}

/** moto has the subnets and groups that a new account has. */
async function idIn(endpoint: string, action: string, id: RegExp): Promise<string> {
  const scope = `nobody/20260101/${region}/ec2/aws4_request`;
  const response = await fetch(endpoint, {
    method: "POST",
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=0`,
    },
    body: `Action=${action}&Version=2016-11-15`,
  });
  const [found] = id.exec(await response.text()) ?? [];
  if (found === undefined) throw new Error(`moto told nothing of ${action}`);
  return found;
}
