import { Stack } from "aws-cdk-lib";
import type { IRole } from "aws-cdk-lib/aws-iam";
import type { Brokers } from "./brokers.ts";
import { allow, clustersComeLater, type Grant } from "./grants.ts";
import type { Settings } from "./props.ts";
import { clusterNames } from "./resource-names.ts";
import type { Storage } from "./storage.ts";

export interface ProvisioningProps {
  readonly settings: Settings;
  readonly brokers: Brokers;
  readonly storage: Storage;
}

/** What it takes to make, change and remove clusters, on what is theirs. */
export function allowProvisioning(role: IRole, props: ProvisioningProps): void {
  allow(role, ...ofClusters(role, props), ...ofTasks(role, props), ...ofNames(role, props));
}

const noResource = "The call knows no resource, or none that a condition could name.";

/** Tables, secrets, and what is left of a deleted cluster in the bucket. */
function ofClusters(
  role: IRole,
  { settings, storage: { bucket } }: ProvisioningProps,
): readonly Grant[] {
  const { parameters, parametersPath, tables } = clusterNames(role, settings);
  return [
    {
      sid: "TablesOfClusters",
      actions: [
        ...["dynamodb:CreateTable", "dynamodb:DescribeTable", "dynamodb:DeleteTable"],
        ...["dynamodb:DescribeContinuousBackups", "dynamodb:UpdateContinuousBackups"],
        "dynamodb:TagResource",
      ],
      resources: [tables],
      patternBecause: clustersComeLater,
    },
    {
      sid: "ListsOfTables",
      actions: ["dynamodb:ListTables"],
      resources: ["*"],
      patternBecause: noResource,
    },
    {
      sid: "SecretsOfClusters",
      actions: [
        ...["ssm:PutParameter", "ssm:GetParameter", "ssm:GetParameters"],
        ...["ssm:GetParametersByPath", "ssm:DeleteParameter", "ssm:AddTagsToResource"],
      ],
      resources: [parameters],
      patternBecause: clustersComeLater,
    },
    ...ofListeners(role, settings),
    {
      // To list what is below a path takes the right to the path itself.
      sid: "ListsOfSecrets",
      actions: ["ssm:GetParametersByPath"],
      resources: [parametersPath, `${parametersPath}/`],
    },
    {
      sid: "ObjectsOfClusters",
      // Parts of uploads that nobody finished go by the bucket's own rule.
      actions: ["s3:DeleteObject"],
      resources: [bucket.arnForObjects("cl_*")],
      patternBecause: clustersComeLater,
    },
    {
      sid: "ListsOfObjects",
      actions: ["s3:ListBucket"],
      resources: [bucket.bucketArn],
    },
  ];
}

/** Which broker has which listener: the load balancer itself is the deployment's. */
function ofListeners(role: IRole, settings: Settings): readonly Grant[] {
  if (settings.network.loadBalancerListeners === 0) return [];
  return [
    {
      sid: "Listeners",
      actions: [
        ...["ssm:PutParameter", "ssm:GetParameters", "ssm:DeleteParameter"],
        "ssm:AddTagsToResource",
      ],
      resources: [clusterNames(role, settings).listeners],
      patternBecause: "Each listener's parameter has its port in its name.",
    },
  ];
}

/** A service and a task definition for each broker. */
function ofTasks(role: IRole, { brokers, settings }: ProvisioningProps): readonly Grant[] {
  const { clusterArn, clusterName } = brokers.cluster;
  const { account, partition } = Stack.of(role);
  const serviceRole = "aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS";
  const inCluster = (resource: string): string =>
    Stack.of(role).formatArn({ service: "ecs", resource, resourceName: `${clusterName}/*` });
  return [
    {
      sid: "Services",
      actions: [
        ...["ecs:CreateService", "ecs:UpdateService", "ecs:DeleteService"],
        ...["ecs:DescribeServices", "ecs:TagResource"],
      ],
      resources: [inCluster("service")],
      patternBecause: clustersComeLater,
    },
    {
      sid: "TasksOfServices",
      actions: ["ecs:DescribeTasks"],
      resources: [inCluster("task")],
      patternBecause: "A task has a random id.",
    },
    {
      sid: "ListsOfServices",
      actions: ["ecs:ListServices", "ecs:ListTasks"],
      resources: ["*"],
      conditions: { ArnEquals: { "ecs:cluster": clusterArn } },
      patternBecause: "The condition names the cluster.",
    },
    {
      sid: "TaskDefinitions",
      actions: [
        ...["ecs:RegisterTaskDefinition", "ecs:DeregisterTaskDefinition"],
        ...["ecs:DeleteTaskDefinitions", "ecs:DescribeTaskDefinition"],
        ...["ecs:ListTaskDefinitions", "ecs:ListTaskDefinitionFamilies"],
      ],
      resources: ["*"],
      patternBecause: noResource,
    },
    {
      sid: "TagsOfTaskDefinitions",
      actions: ["ecs:TagResource"],
      resources: [clusterNames(role, settings).taskDefinitions],
      conditions: { StringEquals: { "ecs:CreateAction": "RegisterTaskDefinition" } },
      patternBecause: clustersComeLater,
    },
    {
      sid: "RolesOfBrokers",
      actions: ["iam:PassRole"],
      resources: [brokers.taskRole.roleArn, brokers.executionRole.roleArn],
      conditions: { StringEquals: { "iam:PassedToService": "ecs-tasks.amazonaws.com" } },
    },
    {
      // Made by ECS in the caller's name with the first service of an account that has none.
      sid: "RoleOfEcs",
      actions: ["iam:CreateServiceLinkedRole"],
      resources: [`arn:${partition}:iam::${account}:role/${serviceRole}`],
      conditions: { StringEquals: { "iam:AWSServiceName": "ecs.amazonaws.com" } },
    },
  ];
}

/** A service of Cloud Map for each broker; Cloud Map writes its records on the caller's behalf. */
function ofNames(role: IRole, { brokers }: ProvisioningProps): readonly Grant[] {
  const { namespaceHostedZoneId } = brokers.namespace;
  return [
    {
      sid: "NamesOfBrokers",
      actions: [
        ...["servicediscovery:CreateService", "servicediscovery:DeleteService"],
        ...["servicediscovery:ListServices", "servicediscovery:TagResource"],
        ...["servicediscovery:ListInstances", "servicediscovery:DeregisterInstance"],
      ],
      resources: ["*"],
      patternBecause: noResource,
    },
    {
      sid: "RecordsOfNames",
      actions: ["route53:ChangeResourceRecordSets", "route53:GetHostedZone"],
      resources: [`arn:${Stack.of(role).partition}:route53:::hostedzone/${namespaceHostedZoneId}`],
    },
  ];
}
