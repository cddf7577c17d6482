import { Duration } from "aws-cdk-lib";
import { type ISecurityGroup, Peer, Port, SecurityGroup } from "aws-cdk-lib/aws-ec2";
import {
  type INetworkLoadBalancer,
  NetworkListener,
  NetworkLoadBalancer,
  NetworkTargetGroup,
  Protocol,
  TargetType,
} from "aws-cdk-lib/aws-elasticloadbalancingv2";
import { Construct } from "constructs";
import { acknowledge } from "./acknowledge.ts";
import { brokerPort } from "./broker-port.ts";
import type { Network } from "./network.ts";
import type { Settings } from "./props.ts";

/** The first listener's; the others follow. */
const firstPort = 9_201;
/** Longer than brokers keep idle connections (`connections.max.idle.ms`): they are who closes them. */
const idle = Duration.minutes(11);
/** A broker tells its clients by itself that it goes. */
const draining = Duration.seconds(5);

/**
 * One address for clients that do not find brokers' private names: an internal load balancer with a
 * listener and a target group for each broker that there may be. Which broker has which, the provisioner
 * decides; ECS enters and removes tasks. TLS is the broker's own, behind it.
 */
export class BrokerLoadBalancer extends Construct {
  /** As the provisioner is told: `host|9201=arn,9202=arn`. */
  readonly described: string;
  readonly #group: SecurityGroup;
  readonly #ports: Port;

  constructor(
    scope: Construct,
    id: string,
    { network, settings }: { readonly network: Network; readonly settings: Settings },
  ) {
    super(scope, id);
    const count = settings.network.loadBalancerListeners;
    this.#ports = Port.tcpRange(firstPort, firstPort + count - 1);
    this.#group = new SecurityGroup(this, "Group", {
      vpc: network.vpc,
      description: "Load balancer of brokers of Millrace",
      allowAllOutbound: false,
    });
    this.#openWays(network, settings);
    const balancer = new NetworkLoadBalancer(this, "Balancer", {
      vpc: network.vpc,
      vpcSubnets: { subnets: [...network.brokerSubnets] },
      internetFacing: false,
      // A listener has one target, in one zone: who comes by another zone is to reach it, too.
      crossZoneEnabled: true,
      securityGroups: [this.#group],
    });
    const reason = "It writes access logs of TLS listeners only, and these hand TLS through.";
    acknowledge(balancer, "AwsSolutions-ELB2", reason);
    const groups = Array.from({ length: count }, (_, at) => {
      const port = firstPort + at;
      const targets = new NetworkTargetGroup(this, `Broker-${port}`, {
        vpc: network.vpc,
        port: brokerPort,
        protocol: Protocol.TCP,
        targetType: TargetType.IP,
        deregistrationDelay: draining,
        connectionTermination: true,
        healthCheck: { protocol: Protocol.TCP, interval: Duration.seconds(10) },
      });
      new NetworkListener(this, `Listener-${port}`, {
        // Its own optional members lack the `undefined` that its interface's have not either.
        loadBalancer: balancer as INetworkLoadBalancer,
        port,
        protocol: Protocol.TCP,
        defaultTargetGroups: [targets],
        tcpIdleTimeout: idle,
      });
      return `${port}=${targets.targetGroupArn}`;
    });
    this.described = `${balancer.loadBalancerDnsName}|${groups.join(",")}`;
  }

  allowFrom(group: ISecurityGroup, description: string): void {
    this.#group.addIngressRule(group, this.#ports, description);
    group.addEgressRule(this.#group, this.#ports, "load balancer of brokers");
  }

  #openWays({ brokerGroup, clientGroup }: Network, { network }: Settings): void {
    this.allowFrom(clientGroup, "clients");
    for (const cidr of network.clientCidrs) {
      this.#group.addIngressRule(Peer.ipv4(cidr), this.#ports, "clients by their address");
    }
    this.#group.addEgressRule(brokerGroup, Port.tcp(brokerPort), "brokers");
    brokerGroup.addIngressRule(this.#group, Port.tcp(brokerPort), "load balancer of brokers");
  }
}
