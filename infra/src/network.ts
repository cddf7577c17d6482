import {
  FlowLogDestination,
  GatewayVpcEndpointAwsService,
  InterfaceVpcEndpointAwsService,
  IpAddresses,
  type ISubnet,
  type IVpc,
  Peer,
  Port,
  SecurityGroup,
  SubnetType,
  Vpc,
} from "aws-cdk-lib/aws-ec2";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import { acknowledge } from "./acknowledge.ts";
import { brokerPort } from "./broker-port.ts";
import { logGroupProps } from "./logs.ts";
import type { EndpointName, Settings } from "./props.ts";

/**
 * A network without NAT. Brokers have public addresses, for what they ask of AWS, and nobody may
 * connect to them from outside; S3 and DynamoDB are reached by gateway endpoints, which are free.
 */
export class Network extends Construct {
  readonly vpc: IVpc;
  readonly brokerSubnets: readonly ISubnet[];
  readonly brokerGroup: SecurityGroup;
  /** Who has it may connect to brokers. */
  readonly clientGroup: SecurityGroup;

  constructor(scope: Construct, id: string, settings: Settings) {
    super(scope, id);
    const { network } = settings;
    const isolated = network.brokersIn === "isolated";
    const vpc = new Vpc(this, "Vpc", {
      ipAddresses: IpAddresses.cidr(network.cidr),
      maxAzs: network.zones,
      natGateways: 0,
      subnetConfiguration: [
        isolated
          ? { name: "isolated", subnetType: SubnetType.PRIVATE_ISOLATED }
          : { name: "public", subnetType: SubnetType.PUBLIC, mapPublicIpOnLaunch: false },
      ],
      gatewayEndpoints: {
        S3: { service: GatewayVpcEndpointAwsService.S3 },
        DynamoDb: { service: GatewayVpcEndpointAwsService.DYNAMODB },
      },
    });
    // Its own optional members lack the `undefined` that its interface's have not either.
    this.vpc = vpc as IVpc;
    this.brokerSubnets = isolated ? this.vpc.isolatedSubnets : this.vpc.publicSubnets;
    this.brokerGroup = this.#group("BrokerGroup", "Brokers of Millrace");
    this.clientGroup = this.#group("ClientGroup", "Clients of brokers of Millrace");
    this.#openWays(settings);
    for (const name of network.interfaceEndpoints) this.#addEndpoint(name);
    this.#logFlows(settings);
  }

  #group(id: string, description: string): SecurityGroup {
    return new SecurityGroup(this, id, { vpc: this.vpc, description, allowAllOutbound: false });
  }

  #openWays({ network }: Settings): void {
    const kafka = Port.tcp(brokerPort);
    const { brokerGroup, clientGroup } = this;
    brokerGroup.addIngressRule(clientGroup, kafka, "clients");
    brokerGroup.addIngressRule(brokerGroup, kafka, "other brokers");
    for (const cidr of network.clientCidrs) {
      brokerGroup.addIngressRule(Peer.ipv4(cidr), kafka, "clients by their address");
    }
    clientGroup.addEgressRule(brokerGroup, kafka, "brokers");
    brokerGroup.addEgressRule(brokerGroup, kafka, "other brokers");
    brokerGroup.addEgressRule(Peer.anyIpv4(), Port.tcp(443), "AWS: S3, DynamoDB, image, logs");
  }

  #addEndpoint(name: EndpointName): void {
    const group = this.#group(`Endpoint-${name}`, `Interface endpoint of ${name}`);
    group.addIngressRule(this.brokerGroup, Port.tcp(443), "brokers");
    this.vpc.addInterfaceEndpoint(name, {
      service: endpointServices[name],
      subnets: { subnets: [...this.brokerSubnets] },
      securityGroups: [group],
      open: false,
    });
  }

  #logFlows(settings: Settings): void {
    if (!settings.network.flowLogs) {
      acknowledge(
        this.vpc,
        "AwsSolutions-VPC7",
        "Flow logs are billed by GB: a prop turns them on.",
      );
      return;
    }
    const group = new LogGroup(this, "Flows", logGroupProps(settings));
    this.vpc.addFlowLog("FlowLog", { destination: FlowLogDestination.toCloudWatchLogs(group) });
  }
}

const endpointServices: Readonly<Record<EndpointName, InterfaceVpcEndpointAwsService>> = {
  ecrApi: InterfaceVpcEndpointAwsService.ECR,
  ecrDkr: InterfaceVpcEndpointAwsService.ECR_DOCKER,
  logs: InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
  ssm: InterfaceVpcEndpointAwsService.SSM,
};
