import { Fn, Stack, type StackProps } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { Deployment, type DeploymentFiles } from "./deployment.ts";
import type { Settings } from "./props.ts";

export interface MillraceStackProps extends StackProps {
  readonly settings: Settings;
  readonly files: DeploymentFiles;
}

/** One deployment of Millrace as a stack. */
export class MillraceStack extends Stack {
  readonly deployment: Deployment;
  readonly #zones: number;

  constructor(scope: Construct, id: string, props: MillraceStackProps) {
    const { files, settings, ...own } = props;
    super(scope, id, own);
    this.#zones = settings.network.zones;
    this.deployment = new Deployment(this, "Millrace", { settings, files });
  }

  /** By number, so that nobody has to be asked which zones there are: synth needs no account. */
  override get availabilityZones(): string[] {
    return Array.from({ length: this.#zones }, (_, at) => Fn.select(at, Fn.getAzs()));
  }
}
