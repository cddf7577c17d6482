import { Stack } from "aws-cdk-lib";
import { DockerImageAsset, Platform } from "aws-cdk-lib/aws-ecr-assets";
import { Cluster, ContainerInsights } from "aws-cdk-lib/aws-ecs";
import { Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import { PrivateDnsNamespace } from "aws-cdk-lib/aws-servicediscovery";
import { Construct } from "constructs";
import { acknowledge } from "./acknowledge.ts";
import { allow, clustersComeLater } from "./grants.ts";
import { logGroupProps } from "./logs.ts";
import type { Network } from "./network.ts";
import type { Settings } from "./props.ts";
import { clusterNames } from "./resource-names.ts";
import type { Storage } from "./storage.ts";

export interface BrokersProps {
  readonly settings: Settings;
  readonly network: Network;
  readonly storage: Storage;
  /** Has the Dockerfile and all that it copies, for when no URI names an image. */
  readonly imageFolder: string;
}

/**
 * Where brokers run, and what they may do. The brokers themselves are made by the provisioner, a
 * service each: none runs, and none is paid for, before there is a cluster.
 */
export class Brokers extends Construct {
  readonly cluster: Cluster;
  readonly namespace: PrivateDnsNamespace;
  readonly logGroup: LogGroup;
  /** What a broker may do: its clusters' tables and objects, nothing else. */
  readonly taskRole: Role;
  /** What ECS may do to start one. */
  readonly executionRole: Role;
  readonly imageUri: string;

  constructor(scope: Construct, id: string, props: BrokersProps) {
    super(scope, id);
    const { network, settings } = props;
    this.cluster = new Cluster(this, "Cluster", {
      vpc: network.vpc,
      containerInsightsV2: settings.containerInsights
        ? ContainerInsights.ENABLED
        : ContainerInsights.DISABLED,
    });
    if (!settings.containerInsights) {
      const reason = "Container Insights are billed by metric and task: a prop turns them on.";
      acknowledge(this.cluster, "AwsSolutions-ECS4", reason);
    }
    this.namespace = new PrivateDnsNamespace(this, "Names", {
      name: settings.domain,
      vpc: network.vpc,
      description: "Brokers of clusters of Millrace",
    });
    this.logGroup = new LogGroup(this, "Log", logGroupProps(settings));
    this.taskRole = this.#role("TaskRole", "A broker of Millrace");
    this.#allowStores(props);
    this.executionRole = this.#role("ExecutionRole", "ECS, starting a broker of Millrace");
    this.#allowStart(settings);
    this.imageUri = settings.brokers.image ?? this.#makeImage(props);
  }

  #role(id: string, description: string): Role {
    const assumedBy = new ServicePrincipal("ecs-tasks.amazonaws.com", {
      conditions: { StringEquals: { "aws:SourceAccount": Stack.of(this).account } },
    });
    return new Role(this, id, { assumedBy, description });
  }

  #allowStores({ settings, storage: { bucket } }: BrokersProps): void {
    allow(
      this.taskRole,
      {
        sid: "ItemsOfClusters",
        actions: [
          ...["dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:UpdateItem"],
          ...["dynamodb:DeleteItem", "dynamodb:ConditionCheckItem"],
        ],
        resources: [clusterNames(this, settings).tables],
        patternBecause: clustersComeLater,
      },
      {
        sid: "ObjectsOfClusters",
        actions: ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
        resources: [bucket.arnForObjects("cl_*")],
        patternBecause: clustersComeLater,
      },
      {
        sid: "ListsOfClusters",
        actions: ["s3:ListBucket"],
        resources: [bucket.bucketArn],
        conditions: { StringLike: { "s3:prefix": "cl_*" } },
      },
      {
        // Each start of a broker looks whether a rule would take its objects away.
        sid: "RulesOfTheBucket",
        actions: ["s3:GetLifecycleConfiguration"],
        resources: [bucket.bucketArn],
      },
    );
  }

  #allowStart(settings: Settings): void {
    this.logGroup.grant(this.executionRole, "logs:CreateLogStream", "logs:PutLogEvents");
    allow(
      this.executionRole,
      {
        sid: "SecretsOfClusters",
        actions: ["ssm:GetParameters"],
        resources: [clusterNames(this, settings).brokerParameters],
        patternBecause: clustersComeLater,
      },
      {
        sid: "RegistryLogin",
        actions: ["ecr:GetAuthorizationToken"],
        resources: ["*"],
        patternBecause: "The token of a registry has no resource.",
      },
    );
    if (settings.brokers.image !== undefined) this.#allowPull(settings.brokers.image);
  }

  /** Of a private registry on AWS; any other has no use for the role. */
  #allowPull(image: string): void {
    const inEcr = /^(\d{12})\.dkr\.ecr\.([\w-]+)\.[\w.]+\/([^:@]+)[:@]/u.exec(image);
    if (inEcr === null) return;
    const [, account, region, repository] = inEcr;
    const { partition } = Stack.of(this);
    allow(this.executionRole, {
      sid: "Image",
      actions: [
        ...["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer"],
        "ecr:BatchGetImage",
      ],
      resources: [`arn:${partition}:ecr:${region}:${account}:repository/${repository}`],
    });
  }

  /** Made where `cdk deploy` runs; a synth only looks at the files. */
  #makeImage({ imageFolder }: BrokersProps): string {
    const image = new DockerImageAsset(this, "Image", {
      directory: imageFolder,
      platform: Platform.LINUX_ARM64,
    });
    image.repository.grantPull(this.executionRole);
    return image.imageUri;
  }
}
