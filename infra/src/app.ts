import { App, type AppProps, Validations } from "aws-cdk-lib";
import { AwsSolutionsChecks } from "cdk-nag";
import type { DeploymentFiles } from "./deployment.ts";
import { type DeploymentProps, PropsError, settingsOf } from "./props.ts";
import { MillraceStack } from "./stack.ts";

/** Of CDK's switches between its former behaviour and a better one, those that are ours to set. */
export const flags: Readonly<Record<string, unknown>> = {
  "@aws-cdk/core:validateAgainstDefaultRules": true,
  "@aws-cdk/core:checkSecretUsage": true,
  "@aws-cdk/core:enablePartitionLiterals": true,
  "@aws-cdk/core:target-partitions": ["aws"],
  "@aws-cdk/aws-iam:minimizePolicies": true,
  "@aws-cdk/aws-ecs:arnFormatIncludesClusterName": true,
  "@aws-cdk/aws-s3:publicAccessBlockedByDefault": true,
  "@aws-cdk/aws-lambda:recognizeLayerVersion": true,
  "@aws-cdk/aws-apigateway:logGroupDestinationArnWithoutWildcard": true,
};

export interface MillraceApp {
  readonly app: App;
  readonly stack: MillraceStack;
}

/**
 * The app, checked by cdk-nag and by CloudFormation's own schemas at its synth: a finding that
 * nobody gave a reason for ends it. Without props they are the context's, under `millrace`.
 */
export function makeApp(
  { files, props }: { readonly files: DeploymentFiles; readonly props?: DeploymentProps },
  options: AppProps = {},
): MillraceApp {
  const app = new App({ ...options, context: { ...flags, ...options.context } });
  const settings = settingsOf(props ?? contextProps(app.node.tryGetContext("millrace")));
  addChecks(app);
  const stack = new MillraceStack(app, "Millrace", {
    settings,
    files,
    description: "Millrace: a Kafka that you own",
    terminationProtection: settings.onDelete === "retain",
  });
  return { app, stack };
}

/** Ends the synth at any finding that nobody gave a reason for. */
export function addChecks(app: App): void {
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
}

/** On the command line a context value is text. */
function contextProps(context: unknown): DeploymentProps {
  if (context === undefined) return {};
  const value: unknown = typeof context === "string" ? JSON.parse(context) : context;
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new PropsError(
    `the context millrace is ${JSON.stringify(value)}: allowed is an object of props`,
  );
}
