import { CfnOutput, Stack } from "aws-cdk-lib";
import { Construct } from "constructs";
import { Brokers } from "./brokers.ts";
import { Functions } from "./functions.ts";
import { ControlApi } from "./http-api.ts";
import { BrokerLoadBalancer } from "./load-balancer.ts";
import { Network } from "./network.ts";
import type { Settings } from "./props.ts";
import { Signals } from "./signals.ts";
import { Storage } from "./storage.ts";

/** What of this project a deployment takes, by path. */
export interface DeploymentFiles {
  /** Has a folder for each function, with its bundle. */
  readonly bundles: string;
  /** Has the Dockerfile and all that it copies, for when no URI names an image. */
  readonly imageFolder: string;
}

export interface DeploymentConstructProps {
  readonly settings: Settings;
  readonly files: DeploymentFiles;
}

/**
 * Millrace in one account: the network, the bucket, the control plane with its table, and a place
 * for brokers. Clusters are made by its API, not here.
 */
export class Deployment extends Construct {
  readonly network: Network;
  readonly storage: Storage;
  readonly brokers: Brokers;
  readonly functions: Functions;
  readonly controlApi: ControlApi;

  constructor(scope: Construct, id: string, { files, settings }: DeploymentConstructProps) {
    super(scope, id);
    this.network = new Network(this, "Network", settings);
    this.storage = new Storage(this, "Storage", settings);
    const { network, storage } = this;
    const base = { settings, network, storage };
    this.brokers = new Brokers(this, "Brokers", { ...base, imageFolder: files.imageFolder });
    const { brokers } = this;
    const loadBalancer =
      settings.network.loadBalancerListeners === 0
        ? undefined
        : new BrokerLoadBalancer(this, "LoadBalancer", { network, settings });
    this.functions = new Functions(this, "Functions", {
      ...{ ...base, brokers, loadBalancer, bundles: files.bundles },
    });
    this.controlApi = new ControlApi(this, "ControlApi", { settings, functions: this.functions });
    new Signals(this, "Signals", { settings, deployment: this });
    this.#output("ApiUrl", "Of the control plane's API", this.controlApi.api.apiEndpoint);
    this.#output("BucketName", "All clusters' objects", storage.bucket.bucketName);
    this.#output("ControlTableName", "Of the control plane", storage.controlTable.tableName);
    const { securityGroupId } = network.clientGroup;
    this.#output("ClientSecurityGroup", "For clients in this network", securityGroupId);
    this.#output("NetworkId", "Where brokers are", network.vpc.vpcId);
  }

  #output(id: string, description: string, value: string): void {
    new CfnOutput(Stack.of(this), id, { description, value });
  }
}
