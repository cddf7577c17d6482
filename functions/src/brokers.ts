import { EcsDriver, type EcsDriverOptions } from "@millrace/adapter-aws/ecs-driver";
import type { BrokerDriver, Clock, Random } from "@millrace/core";
import type { Environment, ProvisionerField } from "./environment.ts";

export type ProvisionerEnvironment = Environment<ProvisionerField | "region">;

export interface BrokersDependencies {
  readonly environment: ProvisionerEnvironment;
  readonly clock: Clock;
  readonly random: Random;
}

/** What a module exports that `MILLRACE_BROKERS_IN` names instead of ECS: for tests. */
export interface OtherBrokers {
  readonly openBrokers: (deps: BrokersDependencies) => Promise<BrokerDriver>;
}

export async function openBrokers(deps: BrokersDependencies): Promise<BrokerDriver> {
  const { brokersIn } = deps.environment;
  if (brokersIn === "ecs") return openEcs(deps);
  const other = (await import(brokersIn)) as OtherBrokers;
  return other.openBrokers(deps);
}

function openEcs({ clock, environment, random }: BrokersDependencies): Promise<EcsDriver> {
  const { tablePrefix: prefix } = environment;
  return EcsDriver.open({
    ...{ clock, random, prefix, region: environment.region, bucket: environment.bucket },
    parameterPrefix: environment.parameterPrefix,
    namespaceId: environment.namespaceId,
    namespaceName: environment.namespaceName,
    ecsCluster: environment.ecsCluster,
    subnets: environment.subnets.split(","),
    securityGroups: environment.securityGroups.split(","),
    assignPublicIp: environment.assignPublicIp === "true",
    image: environment.brokerImage,
    taskRoleArn: environment.brokerTaskRole,
    executionRoleArn: environment.brokerExecutionRole,
    logGroup: environment.brokerLogGroup,
    diskGiB: Number(environment.brokerDiskGiB),
    ...loadBalancerIn(environment.loadBalancer),
  });
}

/** As `infra` writes it: `host|9201=arn,9202=arn`. */
export function loadBalancerIn(text: string): Pick<EcsDriverOptions, "loadBalancer"> {
  if (text === "") return {};
  const [host = "", groups = ""] = text.split("|");
  const listeners = groups.split(",").map((group) => {
    const [port, targetGroupArn = ""] = group.split("=");
    return { port: Number(port), targetGroupArn };
  });
  return { loadBalancer: { host, listeners } };
}
