import { Stack } from "aws-cdk-lib";
import type { IConstruct } from "constructs";
import type { Settings } from "./props.ts";

/** A cluster's id begins so; what is made for a cluster has its id in its name. */
const idPrefix = "cl_";

/** Names, and patterns of ARNs, of what the provisioner makes for clusters. */
export interface ClusterNames {
  readonly tablePrefix: string;
  readonly parameterPrefix: string;
  readonly tables: string;
  readonly parameters: string;
  /** Of them, what brokers show: not the authorities' keys. */
  readonly brokerParameters: string;
  /** Of parameters, too: which broker has which listener of the load balancer. */
  readonly listeners: string;
  readonly taskDefinitions: string;
  /** Of the path that all of them are below. */
  readonly parametersPath: string;
}

export function clusterNames(scope: IConstruct, { name }: Settings): ClusterNames {
  const stack = Stack.of(scope);
  const tablePrefix = `${name}-`;
  const parameterPrefix = `/${name}/`;
  return {
    tablePrefix,
    parameterPrefix,
    // Not the control plane's own table, whatever its name begins with.
    tables: stack.formatArn({
      service: "dynamodb",
      resource: "table",
      resourceName: `${tablePrefix}${idPrefix}*`,
    }),
    parameters: stack.formatArn({
      service: "ssm",
      resource: "parameter",
      resourceName: `${name}/${idPrefix}*`,
    }),
    listeners: stack.formatArn({
      service: "ssm",
      resource: "parameter",
      resourceName: `${name}/listeners/*`,
    }),
    brokerParameters: stack.formatArn({
      service: "ssm",
      resource: "parameter",
      resourceName: `${name}/${idPrefix}*/broker`,
    }),
    taskDefinitions: stack.formatArn({
      service: "ecs",
      resource: "task-definition",
      resourceName: `${name}-${idPrefix}*`,
    }),
    parametersPath: stack.formatArn({ service: "ssm", resource: "parameter", resourceName: name }),
  };
}
