import { join } from "node:path";
import { Duration } from "aws-cdk-lib";
import type { ITable } from "aws-cdk-lib/aws-dynamodb";
import { type ISubnet, Port, SecurityGroup, Peer } from "aws-cdk-lib/aws-ec2";
import { Rule, RuleTargetInput, Schedule } from "aws-cdk-lib/aws-events";
import { LambdaFunction } from "aws-cdk-lib/aws-events-targets";
import { Effect, PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import {
  Architecture,
  Code,
  FilterCriteria,
  FilterRule,
  Function as LambdaFn,
  type FunctionProps,
  Runtime,
  StartingPosition,
} from "aws-cdk-lib/aws-lambda";
import { DynamoEventSource } from "aws-cdk-lib/aws-lambda-event-sources";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import {
  type ApiField,
  apiFields,
  type AuthorizerField,
  authorizerFields,
  type Environment,
  environmentOf,
  type ProvisionerField,
  provisionerFields,
} from "../../functions/src/environment.ts";
import { acknowledge } from "./acknowledge.ts";
import { brokerPort } from "./broker-port.ts";
import type { Brokers } from "./brokers.ts";
import { allow, clustersComeLater, type Grant } from "./grants.ts";
import type { BrokerLoadBalancer } from "./load-balancer.ts";
import { logGroupProps } from "./logs.ts";
import type { Network } from "./network.ts";
import type { Settings } from "./props.ts";
import { allowProvisioning } from "./provisioner-policy.ts";
import { clusterNames } from "./resource-names.ts";
import type { Storage } from "./storage.ts";

export const functionNames = ["api", "authorizer", "provisioner"] as const;
export type FunctionName = (typeof functionNames)[number];

export interface FunctionsProps {
  readonly settings: Settings;
  readonly network: Network;
  readonly storage: Storage;
  readonly brokers: Brokers;
  readonly loadBalancer: BrokerLoadBalancer | undefined;
  /** Has a folder for each function, with its bundle. */
  readonly bundles: string;
}

/** How often what stands still is looked for: a lost event costs so much time, and nothing else. */
const sweepMinutes = 5;

/**
 * The control plane. The API's function is in the network, because it asks brokers for topics and
 * groups; it reaches DynamoDB and S3 by their gateways, and nothing else. The others are outside:
 * they ask AWS alone, and the identity provider for its keys.
 */
export class Functions extends Construct {
  readonly api: LambdaFn;
  readonly authorizer: LambdaFn;
  readonly provisioner: LambdaFn;
  readonly logGroups: Readonly<Record<FunctionName, LogGroup>>;
  readonly #roles: Readonly<Record<FunctionName, Role>>;
  readonly #props: FunctionsProps;

  constructor(scope: Construct, id: string, props: FunctionsProps) {
    super(scope, id);
    this.#props = props;
    const { settings } = props;
    this.logGroups = each((name) => new LogGroup(this, `${name}-log`, logGroupProps(settings)));
    this.#roles = each((name) => this.#role(name));
    this.api = this.#inNetwork();
    this.authorizer = this.#function("authorizer", {
      timeout: Duration.seconds(10),
      environment: environmentOf(authorizerFields, this.#authorizerValues()),
    });
    this.provisioner = this.#function("provisioner", {
      timeout: Duration.seconds(settings.functions.provisionerTimeoutSeconds),
      environment: environmentOf(provisionerFields, this.#provisionerValues()),
    });
    this.#allow();
    this.#wake();
  }

  #inNetwork(): LambdaFn {
    const { network, settings } = this.#props;
    const group = new SecurityGroup(this, "ApiGroup", {
      vpc: network.vpc,
      description: "The API of the control plane of Millrace",
      allowAllOutbound: false,
    });
    group.addEgressRule(network.brokerGroup, Port.tcp(brokerPort), "brokers");
    group.addEgressRule(Peer.anyIpv4(), Port.tcp(443), "gateways of DynamoDB and S3");
    network.brokerGroup.addIngressRule(group, Port.tcp(brokerPort), "API of the control plane");
    this.#props.loadBalancer?.allowFrom(group, "API of the control plane");
    allowInterfaces(this.#roles.api);
    return this.#function("api", {
      timeout: Duration.seconds(settings.functions.apiTimeoutSeconds),
      environment: environmentOf(apiFields, this.#apiValues()),
      vpc: network.vpc,
      vpcSubnets: { subnets: network.brokerSubnets.map((subnet): ISubnet => subnet) },
      securityGroups: [group],
      // It gets no public address there, and needs none.
      allowPublicSubnet: true,
    });
  }

  #role(name: FunctionName): Role {
    const role = new Role(this, `${name}-role`, {
      assumedBy: new ServicePrincipal("lambda.amazonaws.com"),
      description: `The control plane of Millrace: ${name}`,
    });
    this.logGroups[name].grant(role, "logs:CreateLogStream", "logs:PutLogEvents");
    return role;
  }

  #function(
    name: FunctionName,
    props: Pick<FunctionProps, "timeout" | "environment"> & Partial<FunctionProps>,
  ): LambdaFn {
    return new LambdaFn(this, name, {
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      handler: "index.handler",
      code: Code.fromAsset(join(this.#props.bundles, name)),
      memorySize: this.#props.settings.functions.memoryMiB,
      role: this.#roles[name],
      logGroup: this.logGroups[name],
      ...props,
    });
  }

  #apiValues(): Environment<ApiField> {
    const { settings, storage } = this.#props;
    return {
      controlTable: storage.controlTable.tableName,
      tablePrefix: clusterNames(this, settings).tablePrefix,
      logLevel: "info",
    };
  }

  #authorizerValues(): Environment<AuthorizerField> {
    const { settings, storage } = this.#props;
    return {
      controlTable: storage.controlTable.tableName,
      jwtIssuer: settings.jwt?.issuer ?? "",
      jwtAudience: settings.jwt?.audience ?? "",
      jwtKeysUrl: settings.jwt?.keysUrl ?? "",
      jwtRoleClaim: settings.jwt?.roleClaim ?? "",
      logLevel: "info",
    };
  }

  #provisionerValues(): Environment<ProvisionerField> {
    const { brokers, network, settings, storage } = this.#props;
    return {
      ...this.#apiValues(),
      brokersIn: "ecs",
      bucket: storage.bucket.bucketName,
      bucketAddressing: "host",
      namespaceName: settings.domain,
      parameterPrefix: clusterNames(this, settings).parameterPrefix,
      namespaceId: brokers.namespace.namespaceId,
      ecsCluster: brokers.cluster.clusterArn,
      subnets: network.brokerSubnets.map(({ subnetId }) => subnetId).join(","),
      securityGroups: network.brokerGroup.securityGroupId,
      assignPublicIp: String(settings.network.brokersIn === "public"),
      brokerImage: brokers.imageUri,
      brokerTaskRole: brokers.taskRole.roleArn,
      brokerExecutionRole: brokers.executionRole.roleArn,
      brokerLogGroup: brokers.logGroup.logGroupName,
      brokerDiskGiB: String(settings.brokers.diskGiB),
      loadBalancer: this.#props.loadBalancer?.described ?? "",
    };
  }

  #allow(): void {
    const { settings, storage } = this.#props;
    const { tables } = clusterNames(this, settings);
    const { tableArn } = storage.controlTable;
    const items = (...resources: readonly string[]): Grant => {
      return { sid: "Items", actions: itemActions, resources, patternBecause: clustersComeLater };
    };
    allow(this.#roles.api, items(tableArn, tables));
    // Credentials in clusters' tables are the API's to make: the provisioner makes and deletes tables.
    allow(this.#roles.provisioner, items(tableArn));
    allow(this.#roles.authorizer, {
      ...{ sid: "Keys", actions: ["dynamodb:GetItem"], resources: [tableArn] },
    });
    allowProvisioning(this.#roles.provisioner, this.#props);
  }

  /** An operation's item starts the provisioner; a schedule resumes what stands still. */
  #wake(): void {
    this.provisioner.addEventSource(
      new DynamoEventSource(this.#props.storage.controlTable as ITable, {
        startingPosition: StartingPosition.TRIM_HORIZON,
        // One operation may take minutes: others go on beside it.
        batchSize: 1,
        parallelizationFactor: 10,
        retryAttempts: 2,
        maxRecordAge: Duration.hours(1),
        reportBatchItemFailures: true,
        filters: [
          FilterCriteria.filter({
            eventName: FilterRule.isEqual("INSERT"),
            dynamodb: { Keys: { pk: { S: FilterRule.isEqual("control/operation") } } },
          }),
        ],
      }),
    );
    const reason = "Streams are listed before they are named.";
    acknowledge(this.#roles.provisioner, "AwsSolutions-IAM5[Resource::*]", reason);
    new Rule(this, "Sweep", {
      description: "Resumes operations of Millrace's control plane that stand still",
      schedule: Schedule.rate(Duration.minutes(sweepMinutes)),
      targets: [
        new LambdaFunction(this.provisioner, {
          event: RuleTargetInput.fromObject({ source: "millrace.schedule", kind: "sweep" }),
          retryAttempts: 0,
        }),
      ],
    });
  }
}

function each<Made>(make: (name: FunctionName) => Made): Readonly<Record<FunctionName, Made>> {
  return { api: make("api"), authorizer: make("authorizer"), provisioner: make("provisioner") };
}

const itemActions = [
  ...["dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:UpdateItem"],
  ...["dynamodb:DeleteItem", "dynamodb:ConditionCheckItem"],
];

/** A function in a network has interfaces there, which Lambda makes in its name. */
function allowInterfaces(role: Role): void {
  const actions = [
    ...["ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces"],
    ...["ec2:DescribeSubnets", "ec2:DeleteNetworkInterface"],
    ...["ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"],
  ];
  const patternBecause = "An interface has no name before it is there, and EC2 describes all.";
  allow(role, { sid: "Interfaces", actions, resources: ["*"], patternBecause });
  // Lambda may; the function's own code may not.
  role.addToPolicy(
    new PolicyStatement({
      sid: "NotByCode",
      effect: Effect.DENY,
      actions,
      resources: ["*"],
      conditions: { Null: { "lambda:SourceFunctionArn": "false" } },
    }),
  );
}
