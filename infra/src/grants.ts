import { Stack } from "aws-cdk-lib";
import { type IRole, PolicyStatement } from "aws-cdk-lib/aws-iam";
import { flattenCfnReference } from "cdk-nag/lib/utils/flatten-cfn-reference.js";
import { acknowledge } from "./acknowledge.ts";

/** What a role may do. */
export interface Grant {
  readonly sid: string;
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly conditions?: Readonly<Record<string, unknown>>;
  /** Why resources are named by a pattern, where they are: without it cdk-nag ends the synth. */
  readonly patternBecause?: string;
}

export const clustersComeLater =
  "Clusters are made while the stack stands: what is theirs has their ids in its name.";

export function allow(role: IRole, ...grants: readonly Grant[]): void {
  for (const { actions, conditions, patternBecause, resources, sid } of grants) {
    role.addToPrincipalPolicy(
      new PolicyStatement({
        sid,
        actions: [...actions],
        resources: [...resources],
        ...(conditions === undefined ? {} : { conditions: { ...conditions } }),
      }),
    );
    if (patternBecause !== undefined) acknowledgePatterns(role, resources, patternBecause);
  }
}

/** Each pattern for itself, so that one that comes later needs a reason of its own. */
export function acknowledgePatterns(
  role: IRole,
  resources: readonly string[],
  reason: string,
): void {
  for (const resource of resources) {
    const shown: string = flattenCfnReference(Stack.of(role).resolve(resource));
    if (shown.includes("*")) acknowledge(role, `AwsSolutions-IAM5[Resource::${shown}]`, reason);
  }
}
